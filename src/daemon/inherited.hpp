#pragma once
// Inherited sockets: listeners that the service manager opened for us (port 443 without any capability).
// Source: sd_listen_fds(3): descriptors 3 .. 3+LISTEN_FDS-1, named by LISTEN_FDNAMES, ours if LISTEN_PID is
// our pid.
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace village::daemon {

struct InheritedSocket {
  int descriptor = -1;
  std::string name;  ///< "" or "unknown" = the manager gave none
};

/// parse_inherited reads the three variables; nullopt if they are meant for another process or not well
/// formed.
std::optional<std::vector<InheritedSocket>> parse_inherited(const char* pid, const char* count,
                                                            const char* names, int own_pid);
/// take_inherited does so from the environment, removes the variables, and sets close-on-exec on every
/// descriptor.
std::vector<InheritedSocket> take_inherited();

/// ListenSlot is a place in the configuration where a listener belongs, in order: htx entries, proxy
/// inbounds, control.
struct ListenSlot {
  std::string name;   ///< "htx-0", "proxy-<inbound>", "control"
  std::string alias;  ///< "htx" for the first entry, "<inbound>"; may be empty
};

/// Assignment has, for each slot, the descriptor that serves it; -1 = open an own one. Sockets that found no
/// slot are in `unused`.
struct Assignment {
  std::vector<int> descriptors;
  std::vector<InheritedSocket> unused;
};

/// assign matches sockets to slots: first by name, then those without a name by order.
Assignment assign(const std::vector<InheritedSocket>& sockets, const std::vector<ListenSlot>& slots);

}  // namespace village::daemon
