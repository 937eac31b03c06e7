#pragma once
// ControlServer: HTTP/1.1 on a Unix socket and on loopback TCP: metrics, health, status, configuration, web
// page.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "village/control/config.hpp"
#include "village/net/core.hpp"
#include "village/net/stream.hpp"
#include "village/service/gateway.hpp"
#include "village/service/tunnel.hpp"

namespace village::net {
class Listener;
class UnixListener;
}  // namespace village::net

namespace village::control {

/// NodeStatus is all that `/api/v1/status` and `villaged status` show.
struct NodeStatus {
  std::string name, node, version, state;  ///< node = bn1: name; state = starting, ready, draining
  Duration uptime{0};
  std::size_t cores = 0;
  std::vector<std::string> listening;  ///< "htx tls 0.0.0.0:8443", "proxy local 127.0.0.1:1080", ...
  std::vector<service::SessionStatus> sessions;
  service::GatewayStatus gateway;
  std::vector<std::string> sandbox;  ///< "seccomp", "landlock" when active
  std::vector<std::string> last_errors;
};

/// ControlHooks is what the daemon lends the server; all are called on the server's core.
struct ControlHooks {
  std::function<net::Task<NodeStatus>()> status;
  std::function<bool()> ready;
  std::function<std::string()> config_json;  ///< masked
  std::function<net::Task<std::vector<std::string>>()>
      reload;  ///< keys that need a restart; error = bad config
};

class ControlServer {
 public:
  ControlServer(net::Core& core, const ControlOptions& options, ControlHooks hooks);
  ~ControlServer();
  void serve(std::unique_ptr<net::UnixListener> listener);
  void serve(std::unique_ptr<net::Listener> listener);
  net::Task<void> stop(Instant deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// metrics_text is the Prometheus text of every metric of the process.
std::string metrics_text();

}  // namespace village::control
