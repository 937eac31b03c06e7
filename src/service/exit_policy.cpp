#include "village/service/exit_policy.hpp"

namespace village::service {

AddressPolicy make_exit_policy(const ExitOptions& options) {
  if (!options.enabled) return [](const Host&) { return false; };
  return [allow_private = options.allow_private](const Host& address) {
    if (const auto* v4 = std::get_if<Ipv4Address>(&address)) return allow_private || is_public(*v4);
    if (const auto* v6 = std::get_if<Ipv6Address>(&address)) return allow_private || is_public(*v6);
    return false;
  };
}

}  // namespace village::service
