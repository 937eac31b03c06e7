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

class Gateway {
 public:
  /// `direct` opens targets from here; `htx` gives the dialer of a named tunnel peer (nullptr = no such peer).
  using HtxDialers = std::function<net::Dialer*(std::string_view peer)>;
  Gateway(net::Core& core, std::shared_ptr<const GatewayOptions> options, net::Dialer& direct, HtxDialers htx);
  ~Gateway();

  /// serve accepts on this core's part of inbound `name`'s listener until drain.
  void serve(std::unique_ptr<net::Listener> listener, std::string name);
  /// reload applies changed options to new connections.
  void reload(std::shared_ptr<const GatewayOptions> options);
  /// drain stops accepting, waits for connections until `deadline`, then closes them.
  net::Task<void> drain(Instant deadline);
  GatewayStatus status() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::service
