#pragma once
// Node: the running daemon. Builds the services of every core, lends itself to the control server, reloads
// and drains.
//
//   constructed --open()--> listening --start()--> running --drain()--> drained --stop()--> stopped
//
// open, start and stop run on the supervisor's thread; status, reload and drain are coroutines of core 0.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "daemon/core_services.hpp"
#include "daemon/inherited.hpp"
#include "daemon/listeners.hpp"
#include "daemon/log_sink.hpp"
#include "daemon/sandbox.hpp"
#include "daemon/ticket_keeper.hpp"
#include "village/control/config.hpp"
#include "village/control/server.hpp"
#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/service/mix_node.hpp"

namespace village::daemon {

class Node {
 public:
  Node(control::Config config, LogSink& log);
  ~Node();

  /// open binds or adopts the listeners and builds the services. Returns a sentence for the operator; empty =
  /// fine.
  std::string open(const std::vector<InheritedSocket>& inherited);
  /// start confines the process's files, starts the threads and serves.
  void start();
  /// confine gives up the system calls that are no longer needed; when every core turns.
  void confine();
  /// failed tells that a core could not serve a listener (which was logged); known when every core turns.
  bool failed() const { return failed_.load(); }
  /// announce makes the node ready (`/readyz`).
  void announce();

  std::size_t cores() const { return runtime_.cores(); }
  net::Runtime& runtime() { return runtime_; }
  const control::Config& config() const { return config_; }
  /// listening lists every address, as printed at start.
  std::vector<std::string> listening() const;

  net::Task<control::NodeStatus> status();
  /// reload reads the configuration file again. Returns the keys whose change needs a restart. One at a time:
  /// who asks while one is under way waits, and shares the next with all others who do. Errors: bad_argument
  /// (the file has errors, which were logged; nothing changed), denied (a file that the sandbox hides),
  /// cancelled.
  net::Task<std::vector<std::string>> reload();
  /// drain stops accepting, waits for what runs until `deadline`, then ends it.
  asio::awaitable<void> drain(Instant deadline);
  /// tick does what falls due now and then; the supervisor calls it every few seconds on its own thread.
  void tick() { tickets_.tick(); }
  void stop();

 private:
  enum class State { starting, ready, draining };

  control::ControlHooks hooks();
  void serve(std::size_t core);
  Result<control::Config> read_changed_config();
  net::Task<std::vector<std::string>> reload_once();
  asio::awaitable<void> apply();
  std::string open_mix();
  control::MixHooks mix_hooks();
  std::shared_ptr<const service::TunnelOptions> tunnel_options() const;
  void use_mix_peers(std::vector<service::TunnelPeer> peers);
  asio::awaitable<void> apply_mix_peers();

  control::Config started_;  ///< what the process was started with: restart keys are told from it
  control::Config config_;   ///< what is in force
  LogSink& log_;
  net::Runtime runtime_;
  Sandbox sandbox_;
  TicketKeeper tickets_;
  std::vector<OpenListener> listeners_;
  std::vector<std::unique_ptr<CoreServices>> services_;
  std::unique_ptr<service::MixNode> mix_;       ///< null = no part in a mixnet
  std::vector<service::TunnelPeer> mix_peers_;  ///< of its directory; core 0
  std::unique_ptr<net::Nursery> mix_tasks_;
  std::unique_ptr<control::ControlServer> control_;
  std::atomic<State> state_{State::starting};
  std::atomic<bool> failed_{false};
  Instant started_at_;
  /// Reloads: on core 0. What is under way, or was last, answers those who asked up to its begin.
  struct Reloads {
    std::uint64_t asked = 0, answered = 0;
    bool under_way = false;
    Result<std::vector<std::string>> outcome{fail(Errc::cancelled)};
  } reloads_;
  net::Event reload_over_;
};

}  // namespace village::daemon
