#include "daemon/core_services.hpp"

#include <utility>

#include "village/net/nursery.hpp"
#include "village/net/visit.hpp"

namespace village::daemon {
namespace {

net::TcpDialerOptions direct_options(const control::NetOptions& net) {
  net::TcpDialerOptions options;
  options.tcp.congestion = net.congestion;
  return options;
}

}  // namespace

CoreServices::CoreServices(net::Core& core, const control::NetOptions& net, TunnelSettings tunnel,
                           GatewaySettings gateway, std::shared_ptr<service::TunnelCounts> counts,
                           std::shared_ptr<service::TicketDesk> desk)
    : core_{core},
      exit_policy_{std::make_shared<service::AddressPolicy>(service::make_exit_policy(tunnel->exit))},
      exit_{core, exit_options(net)},
      direct_{core, direct_options(net)},
      tunnel_{core, std::move(tunnel), exit_, std::move(counts), std::move(desk)},
      gateway_{core, std::move(gateway), direct_,
               [this](std::string_view peer) { return tunnel_.dialer(peer); }} {}

net::TcpDialerOptions CoreServices::exit_options(const control::NetOptions& net) const {
  auto options = direct_options(net);
  options.allow = [policy = exit_policy_](const net::Ip& ip) { return (*policy)(ip); };
  return options;
}

Result<void> CoreServices::serve_peers(std::shared_ptr<net::Listener> listener, std::size_t index) {
  return tunnel_.serve(std::move(listener), index);
}
void CoreServices::serve_proxy(std::shared_ptr<net::Listener> listener, std::string inbound) {
  gateway_.serve(std::move(listener), std::move(inbound));
}

asio::awaitable<CoreStatus> CoreServices::status() { return net::visit(core_, status_here()); }
asio::awaitable<void> CoreServices::reload(TunnelSettings tunnel, GatewaySettings gateway) {
  return net::visit(core_, reload_here(std::move(tunnel), std::move(gateway)));
}
asio::awaitable<void> CoreServices::reload_tunnel(TunnelSettings tunnel) {
  return net::visit(core_, reload_tunnel_here(std::move(tunnel)));
}
asio::awaitable<void> CoreServices::drain(Instant deadline) {
  return net::visit(core_, drain_here(deadline));
}

asio::awaitable<CoreStatus> CoreServices::status_here() {
  co_return CoreStatus{tunnel_.status(), gateway_.status()};
}

asio::awaitable<void> CoreServices::reload_here(TunnelSettings tunnel, GatewaySettings gateway) {
  *exit_policy_ = service::make_exit_policy(tunnel->exit);
  tunnel_.reload(std::move(tunnel));
  gateway_.reload(std::move(gateway));
  co_return;
}

asio::awaitable<void> CoreServices::reload_tunnel_here(TunnelSettings tunnel) {
  tunnel_.reload(std::move(tunnel));
  co_return;
}

// Both at once: a peer's streams must not use up the time that local programs have, nor the other way round.
asio::awaitable<void> CoreServices::drain_here(Instant deadline) {
  net::Nursery parts{core_};
  parts.spawn([this, deadline]() -> asio::awaitable<void> { (void)co_await gateway_.drain(deadline); });
  parts.spawn([this, deadline]() -> asio::awaitable<void> { (void)co_await tunnel_.drain(deadline); });
  co_await parts.join();
}

}  // namespace village::daemon
