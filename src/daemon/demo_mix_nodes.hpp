#pragma once
// DemoMixNodes: a whole mixnet of daemons on loopback: three authorities, nine mixes in three layers, two
// gateways, two clients.
#include <list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "daemon/demo_nodes.hpp"

namespace village::daemon {

/// DemoMixNode is one of them.
struct DemoMixNode : DemoNode {
  std::string role;                ///< "authority", "mix", "gateway", "client"
  std::string key, node;           ///< base64url, bn1:
  std::uint16_t port = 0;          ///< authority: its HTTP port; else its HTX port
  DemoMixNode* gateway = nullptr;  ///< of a client
  std::string address() const { return key + "@" + gateway->node; }
};

/// DemoMixNodes removes its folder and ends its processes when it dies.
class DemoMixNodes {
 public:
  DemoMixNodes() = default;
  DemoMixNodes(const DemoMixNodes&) = delete;
  DemoMixNodes& operator=(const DemoMixNodes&) = delete;
  ~DemoMixNodes();

  /// start makes keys and configurations, starts all, and waits until a directory is in force and both
  /// clients are connected. Returns a sentence about what failed; empty = fine.
  std::string start();
  /// stop ends all that run in order; empty = all drained and exited with 0.
  std::string stop();
  /// status is the mixnet's part of a node's status; an empty object if it does not answer.
  nlohmann::json status(const DemoMixNode& node) const;
  /// kill ends a node with SIGKILL.
  void kill(DemoMixNode& node);

  std::vector<DemoMixNode*> of(const std::string& role);
  const std::string& folder() const { return folder_; }

 private:
  std::string make_folder();
  std::string make_nodes();
  std::string write_config(const DemoMixNode& node);
  std::string launch(DemoMixNode& node);
  std::string await(const std::string& what, const DemoMixNode& node, bool (*ready)(const nlohmann::json&));

  std::string folder_;
  std::list<DemoMixNode> nodes_;
};

}  // namespace village::daemon
