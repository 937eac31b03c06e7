#pragma once
// ControlServer: HTTP/1.1 on a Unix socket and on loopback TCP: metrics, health, status, configuration, web
// page.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "village/control/config.hpp"
#include "village/control/limits.hpp"
#include "village/control/version.hpp"
#include "village/net/core.hpp"
#include "village/net/stream.hpp"
#include "village/service/gateway.hpp"
#include "village/service/mix_status.hpp"
#include "village/service/tunnel.hpp"

namespace village::net {
class Listener;
}  // namespace village::net

namespace village::control {

/// TicketStatus is the state of access tickets on a node that asks for them.
struct TicketStatus {
  struct Key {
    std::string id;  ///< base64url, as in invitations
    Duration age{0};
    std::uint64_t accepted = 0;          ///< tickets since start
    std::optional<Duration> since_last;  ///< since the last of them
  };
  std::vector<Key> keys;  ///< newest first: the one that invitations carry
  std::size_t remembered = 0, sources = 0;
  bool on_disk = false;
};

/// NodeStatus is all that `/api/v1/status` and `villaged status` show.
struct NodeStatus {
  std::string name, node, version, state;  ///< node = bn1: name; state = starting, ready, draining
  Duration uptime{0};
  std::size_t cores = 0;
  std::vector<std::string> listening;  ///< "htx tls 0.0.0.0:8443", "proxy local 127.0.0.1:1080", ...
  std::vector<service::SessionStatus> sessions;
  service::GatewayStatus gateway;
  std::optional<TicketStatus> tickets;    ///< none = this node asks for none
  std::optional<service::MixStatus> mix;  ///< none = no part in a mixnet
  std::vector<std::string> sandbox;       ///< "seccomp", "landlock" when active
  std::vector<std::string> last_errors;
};

/// MixHooks is how programs send and receive messages by the mixnet.
struct MixHooks {
  /// send queues a message and gives its id. Errors: limit_exceeded, busy, not_found (no such gateway, or no
  /// message or reply block to reply with), denied (no valid directory).
  std::function<net::Task<std::string>(service::MixOutgoing)> send;
  /// receive gives the messages behind sequence `after`, and forgets those up to it; waits for one at most
  /// `wait`.
  std::function<net::Task<std::vector<service::MixIncoming>>(std::uint64_t after, Duration wait)> receive;
  std::function<service::MixFate(const std::string& id)> fate;
  /// ping sends a packet through the mixnet back to here and gives its time. Errors: timed_out, and of send.
  std::function<net::Task<Duration>(Duration within)> ping;
};

/// ControlHooks is what the daemon lends the server; all are called on the server's core.
struct ControlHooks {
  std::function<net::Task<NodeStatus>()> status;
  std::function<bool()> ready;
  std::function<std::string()> config_json;  ///< masked
  /// Keys that need a restart; an error means that the configuration was not taken over.
  std::function<net::Task<std::vector<std::string>>()> reload;
  std::optional<MixHooks> mix;                ///< none = this node has not the role "client"
  Duration patience = limits::http_idle_max;  ///< for one request and between two; tests shorten it
};

/// ControlServer lives on one core: every call on that core's thread. At most http_connections_max
/// connections at once over all its listeners, 10 s for a request and between two; more in limits.hpp. Over
/// TCP a bearer token is asked for when one is configured (except /healthz and /readyz), and without one only
/// requests that name a loopback host are answered, so that a web page elsewhere cannot reach it by rebinding
/// its name. The Unix socket is guarded by its mode. Before it dies stop() must have ended (unless serve()
/// was never called).
class ControlServer {
 public:
  ControlServer(net::Core& core, const ControlOptions& options, ControlHooks hooks);
  ~ControlServer();
  /// serve answers on this core's part of a listener, TCP or Unix, until stop().
  void serve(std::shared_ptr<net::Listener> listener);
  /// stop accepts no more, lets requests under way end until `deadline`, then closes them.
  net::Task<void> stop(Instant deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// metrics_text is the Prometheus text of every metric of the process.
std::string metrics_text();

}  // namespace village::control
