#pragma once
// Gateway: the proxy service of one core: mixed inbound ports, routes, outbounds, relays.
#include <functional>
#include <memory>
#include <string_view>

#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/service/gateway_options.hpp"

namespace village::net {
class Listener;
}

namespace village::service {

struct GatewayStatus {
  std::size_t connections = 0;
  std::size_t udp_associations = 0;
};

/// Gateway lives on one core: all calls on its thread, before the runtime starts or from a coroutine of that
/// core. Clients' first byte tells the protocol: SOCKS5 (CONNECT, UDP ASSOCIATE), SOCKS4(a) CONNECT on ports
/// without users, HTTP (CONNECT and plain). The limits over all cores count all gateways of the process.
class Gateway {
 public:
  /// check tells whether the constructor and reload would take these options. Errors: bad_argument (a route
  /// that cannot be meant; detail = its index), not_found (an outbound that is not there; detail = index of
  /// the route).
  static Result<void> check(const GatewayOptions& options);

  /// `direct` opens targets from here; `htx` gives the dialer of a named tunnel peer (nullptr = no such
  /// peer). Both outlive the Gateway. Throws std::invalid_argument when check() fails.
  using HtxDialers = std::function<net::Dialer*(std::string_view peer)>;
  Gateway(net::Core& core, std::shared_ptr<const GatewayOptions> options, net::Dialer& direct,
          HtxDialers htx);
  /// Needs a finished drain(), or nothing served.
  ~Gateway();

  /// serve accepts on this core's part of inbound `name`'s listener until drain or until somebody closes it;
  /// its connections then go on.
  void serve(std::shared_ptr<net::Listener> listener, std::string name);
  /// reload applies changed options to new connections. Options that check() refuses are ignored (logged).
  void reload(std::shared_ptr<const GatewayOptions> options);
  /// drain closes the listeners and idle keep-alive connections, waits for the others until `deadline`, then
  /// cancels them and waits for their end. Never fails.
  net::Task<void> drain(Instant deadline);
  GatewayStatus status() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::service
