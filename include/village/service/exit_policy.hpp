#pragma once
// Exit policy: which addresses streams of peers may reach from here.
#include <functional>

#include "village/net/address.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::service {

/// AddressPolicy judges the address about to be dialled, after names were resolved
/// (net::TcpDialerOptions::allow).
using AddressPolicy = std::function<bool(const net::Ip& address)>;

/// make_exit_policy allows global addresses, and every address with allow_private (loopback, link-local,
/// private). Nothing is allowed when the exit is off. The daemon gives it to the exit's TcpDialer.
AddressPolicy make_exit_policy(const ExitOptions& options);

}  // namespace village::service
