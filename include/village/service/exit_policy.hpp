#pragma once
// Exit policy: which addresses streams of peers may reach from here.
#include <functional>

#include "village/base/target.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::service {

/// AddressPolicy is asked about the literal address that is about to be dialled, after names were resolved; a name
/// itself is never allowed.
using AddressPolicy = std::function<bool(const Host& address)>;

/// make_exit_policy allows global addresses, and every address with allow_private (loopback, link-local, private).
/// Nothing is allowed when the exit is off. The daemon gives it to the exit's TcpDialer.
AddressPolicy make_exit_policy(const ExitOptions& options);

}  // namespace village::service
