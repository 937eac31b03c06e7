#include "village/service/exit_policy.hpp"

namespace village::service {

AddressPolicy make_exit_policy(const ExitOptions& options) {
  if (!options.enabled) return [](const net::Ip&) { return false; };
  if (options.allow_private) return [](const net::Ip&) { return true; };
  return [](const net::Ip& address) { return net::is_public(address); };
}

}  // namespace village::service
