#include "village/service/mix_status.hpp"
#include "village/wire/base64.hpp"

namespace village::service {

std::string MixAddress::text() const { return wire::base64url(key) + "@" + gateway.name(); }

Result<MixAddress> MixAddress::parse(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos) return fail(Errc::malformed);
  crypto::Ed25519Public key{};
  if (!wire::from_base64url(text.substr(0, at), key)) return fail(Errc::malformed);
  VG_TRY(gateway, wire::NodeId::parse(text.substr(at + 1)));
  return MixAddress{key, gateway};
}

}  // namespace village::service
