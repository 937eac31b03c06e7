#pragma once
// Supervisor: the main thread of a running daemon. It serves no connection: it starts the node, waits for
// signals, feeds the watchdog as long as every core turns, and ends the node in order.
//
//   start: threads -> first heartbeat of all cores -> seccomp -> READY=1
//   SIGHUP: RELOADING=1 -> reload on core 0 -> READY=1      SIGTERM, SIGINT: STOPPING=1 -> drain -> exit 0;
//   twice: exit
#include <optional>

#include "daemon/heartbeat.hpp"
#include "daemon/node.hpp"
#include "daemon/notify.hpp"
#include "village/base/time.hpp"

namespace village::daemon {

/// block_signals blocks what the supervisor waits for, and ignores SIGPIPE. Before any thread starts.
void block_signals();

class Supervisor {
 public:
  Supervisor(Node& node, Notifier notifier, std::optional<Duration> watchdog);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  /// run starts the node and returns the exit status when it has ended.
  int run();

 private:
  bool await_first_heartbeat();
  void check_heartbeat();
  void begin_round();
  void begin_reload();
  void begin_drain();
  /// handle_signal returns true if the process shall end at once.
  bool handle_signal(int signal);
  bool handle_waiting_signals();
  void wait(Duration at_most);
  Instant now() const;

  Node& node_;
  Notifier notifier_;
  Duration interval_;
  Heartbeat heartbeat_;
  Instant next_check_{};
  bool stalled_ = false;
  int signals_ = -1;  ///< signalfd
  int wake_ = -1;     ///< eventfd: a task on core 0 has ended
  std::atomic<bool> reloaded_{false}, drained_{false};
  bool draining_ = false;
};

}  // namespace village::daemon
