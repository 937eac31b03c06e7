#include "village/proxy/credentials.hpp"

#include "text.hpp"
#include "village/crypto/hash.hpp"
#include "village/proxy/limits.hpp"
#include "village/wire/base64.hpp"

namespace village::proxy {
namespace {

crypto::Secret<32> digest_of(std::string_view user, std::string_view password) {
  // The length keeps ("ab", "c") and ("a", "bc") apart.
  ByteArray<8> size{};
  for (std::size_t i = 0; i < size.size(); ++i) size[i] = static_cast<std::byte>(user.size() >> (8 * i));
  auto digest = crypto::sha256({size, as_bytes(user), as_bytes(password)});
  crypto::Secret<32> secret{digest};
  crypto::wipe(digest);
  return secret;
}

}  // namespace

void Credentials::add(std::string_view user, std::string_view password) {
  digests_.push_back(digest_of(user, password));
}

bool Credentials::allows(std::string_view user, std::string_view password) const {
  const auto given = digest_of(user, password);
  unsigned found = 0;
  for (const auto& digest : digests_) found |= static_cast<unsigned>(equal(digest, given));  // no early end
  return found != 0;
}

bool Credentials::allows_basic(std::string_view field_value) const {
  constexpr std::string_view scheme = "basic ";
  if (field_value.size() < scheme.size() ||
      !equal_ignoring_case(field_value.substr(0, scheme.size()), scheme)) {
    return false;
  }
  auto encoded = field_value.substr(scheme.size());
  while (!encoded.empty() && encoded.front() == ' ') encoded.remove_prefix(1);
  auto decoded = wire::from_base64(encoded, limits::http_credentials_bytes_max);
  if (!decoded) return false;
  const auto text = as_text(*decoded);
  const auto colon = text.find(':');
  const bool allowed =
      colon != std::string_view::npos && allows(text.substr(0, colon), text.substr(colon + 1));
  crypto::wipe(*decoded);
  return allowed;
}

}  // namespace village::proxy
