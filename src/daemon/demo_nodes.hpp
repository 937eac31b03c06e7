#pragma once
// DemoNodes: two daemons of this program in a folder of their own: an exit, and an entry whose proxy leaves
// by it.
#include <cstdint>
#include <string>

#include "daemon/child_process.hpp"
#include "village/base/error.hpp"

namespace village::daemon {

/// DemoNode is one daemon: its folder, its process, and what can be asked of it.
struct DemoNode {
  std::string name;
  std::string folder;
  ChildProcess process;

  std::string config_path() const { return folder + "/villaged.json"; }
  std::string log_path() const { return folder + ".log"; }
  /// status is the text of /api/v1/status, metrics that of /metrics. Errors as in http_text.
  Result<std::string> status() const;
  Result<std::string> metrics() const;
};

/// DemoNodes removes its folder and ends its processes when it dies.
class DemoNodes {
 public:
  DemoNodes() = default;
  DemoNodes(const DemoNodes&) = delete;
  DemoNodes& operator=(const DemoNodes&) = delete;
  ~DemoNodes();

  /// start makes keys and configurations with the verbs `init` and `peer`, starts both and waits until they
  /// are ready. Returns a sentence about what failed; empty = fine.
  std::string start();
  /// stop ends both in order; empty = both drained and exited with 0.
  std::string stop();

  DemoNode& exit() { return exit_; }
  DemoNode& entry() { return entry_; }
  std::uint16_t proxy_port() const { return proxy_port_; }

 private:
  std::string make_folder();
  std::string launch(DemoNode& node);
  std::string await_ready(DemoNode& node);

  std::string folder_;
  DemoNode exit_, entry_;
  std::uint16_t proxy_port_ = 0;
};

}  // namespace village::daemon
