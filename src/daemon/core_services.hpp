#pragma once
// CoreServices: what one core serves: a Tunnel, a Gateway, and the dialers they leave by.
#include <memory>
#include <vector>

#include "village/control/config.hpp"
#include "village/net/listener.hpp"
#include "village/net/tcp.hpp"
#include "village/service/exit_policy.hpp"
#include "village/service/gateway.hpp"
#include "village/service/tunnel.hpp"

namespace village::daemon {

namespace asio = boost::asio;

/// CoreStatus is one core's part of the node's status.
struct CoreStatus {
  std::vector<service::SessionStatus> sessions;
  service::GatewayStatus gateway;
};

/// CoreServices is built before its core runs, and dies after it stopped. serve_* are called on its core; the
/// coroutines may be awaited on any core: they do their work on this one and come back.
class CoreServices {
 public:
  using TunnelSettings = std::shared_ptr<const service::TunnelOptions>;
  using GatewaySettings = std::shared_ptr<const service::GatewayOptions>;

  /// `counts` is the same for all cores: what the limits "over all cores" count. So is `desk`.
  CoreServices(net::Core& core, const control::NetOptions& net, TunnelSettings tunnel,
               GatewaySettings gateway, std::shared_ptr<service::TunnelCounts> counts,
               std::shared_ptr<service::TicketDesk> desk);

  /// serve_peers fails if certificate or key cannot be used; see Tunnel::serve.
  Result<void> serve_peers(std::shared_ptr<net::Listener> listener, std::size_t index);
  void serve_proxy(std::shared_ptr<net::Listener> listener, std::string inbound);
  asio::awaitable<CoreStatus> status();
  asio::awaitable<void> reload(TunnelSettings tunnel, GatewaySettings gateway);
  /// reload_tunnel is that for the tunnel alone.
  asio::awaitable<void> reload_tunnel(TunnelSettings tunnel);
  asio::awaitable<void> drain(Instant deadline);
  net::Core& core() { return core_; }
  service::Tunnel& tunnel() { return tunnel_; }

 private:
  asio::awaitable<void> reload_tunnel_here(TunnelSettings tunnel);
  asio::awaitable<CoreStatus> status_here();
  asio::awaitable<void> reload_here(TunnelSettings tunnel, GatewaySettings gateway);
  asio::awaitable<void> drain_here(Instant deadline);
  net::TcpDialerOptions exit_options(const control::NetOptions& net) const;

  net::Core& core_;
  std::shared_ptr<service::AddressPolicy> exit_policy_;  ///< replaced by a reload, on this core
  net::TcpDialer exit_;
  net::TcpDialer direct_;
  service::Tunnel tunnel_;
  service::Gateway gateway_;
};

}  // namespace village::daemon
