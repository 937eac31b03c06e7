#pragma once
// Listeners: every address of the configuration, bound or inherited, before any thread runs.
#include <memory>
#include <string>
#include <vector>

#include "daemon/inherited.hpp"
#include "village/control/config.hpp"
#include "village/net/listener.hpp"

namespace village::daemon {

enum class ListenKind { htx, proxy, mix_directory, control };

/// OpenListener is one bound address and whom it serves.
struct OpenListener {
  ListenKind kind;
  std::size_t index;  ///< entry of htx.listen or proxy.inbounds
  std::string
      text;  ///< "htx tls 0.0.0.0:8443", "proxy local 127.0.0.1:1080", "control /run/villaged/control.sock"
  std::shared_ptr<net::Listener> listener;
};

/// ListenOutcome holds the listeners, or one sentence for the operator in `problem`.
struct ListenOutcome {
  std::vector<OpenListener> listeners;
  std::vector<std::string> warnings;
  std::string problem;
};

/// literal_endpoint is the endpoint of a literal address (the configuration holds no names where we listen).
net::Endpoint literal_endpoint(const Target& target);
/// listen_slots names the places where inherited sockets may go: htx entries, proxy inbounds, control.
std::vector<ListenSlot> listen_slots(const control::Config& config);
/// open_listeners opens all; on a problem those already open are closed again.
ListenOutcome open_listeners(const control::Config& config, const std::vector<InheritedSocket>& inherited,
                             std::size_t cores);

}  // namespace village::daemon
