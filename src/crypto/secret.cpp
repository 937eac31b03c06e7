#include "village/crypto/secret.hpp"

#include <openssl/crypto.h>

#include "village/base/limits.hpp"
#include "village/crypto/limits.hpp"

namespace village::crypto {
namespace {

// Declared here because every program that uses the module links wipe().
constexpr village::limits::Row rows[] = {
    {"crypto", "chain_certificates_max", limits::chain_certificates_max, limits::certificate_bytes_max,
     "certificates of a peer's chain, during one TLS handshake"},
    {"crypto", "aead_message_bytes_max", limits::aead_message_bytes_max, 0,
     "one sealed message; callers bound it lower"},
};
const bool declared [[maybe_unused]] = village::limits::declare(rows);

}  // namespace

void wipe(ByteSpan memory) noexcept {
  if (!memory.empty()) OPENSSL_cleanse(memory.data(), memory.size());
}

bool equal(ByteView a, ByteView b) noexcept {
  if (a.size() != b.size()) return false;
  return a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_zero(ByteView bytes) noexcept {
  // volatile: the compiler may not find out that the loop could stop early.
  volatile unsigned seen = 0;
  for (const auto b : bytes) seen = seen | std::to_integer<unsigned>(b);
  return seen == 0;
}

}  // namespace village::crypto
