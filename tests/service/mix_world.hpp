#pragma once
// MixWorld: a whole mixnet in one process over loopback: mixes, gateways and clients with real links, and a
// document that no authority had to sign.
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "tunnel_world.hpp"
#include "village/service/mix_node.hpp"
#include "village/service/mix_options.hpp"

namespace village::test {

/// MixMember is one node of a MixWorld.
struct MixMember {
  Node* node = nullptr;
  std::shared_ptr<service::MixOptions> options;
  std::unique_ptr<service::MixNode> mix;
  service::MixAddress address() const;  ///< of a client
  wire::NodeId gateway_id;              ///< of a client
  std::uint64_t received_upto = 0;
};

class MixWorld {
 public:
  /// Makes `mixes` mixes, two gateways and two clients, one at each. Nothing runs yet: options may be
  /// changed.
  explicit MixWorld(std::size_t mixes = 3);
  ~MixWorld();

  /// start runs all with a document of this epoch.
  void start();
  /// stop ends a member in order.
  void stop(MixMember& member);
  /// views makes the document of an epoch of all nodes.
  std::shared_ptr<const mix::MixView> view(mix::Epoch epoch);
  /// use_views gives everybody these documents.
  void use_views(std::vector<std::shared_ptr<const mix::MixView>> views);

  std::vector<MixMember*> mixes, gateways, clients;
  mix::Parameters parameters;

  Result<std::string> send(MixMember& from, const service::MixOutgoing& out);
  /// receive waits for the next message.
  std::optional<service::MixIncoming> receive(MixMember& at, Duration wait = std::chrono::seconds{60});
  service::MixFate fate(MixMember& of, const std::string& id);
  service::MixStatus status(MixMember& of);
  /// until polls `condition` of a member's core, for at most 60 s.
  bool until(std::function<bool()> condition);
  TunnelWorld& tunnels() { return world_; }

 private:
  MixMember& add(const std::string& name, std::size_t core, service::MixRole role);
  void open(MixMember& member);
  TunnelWorld world_;
  std::list<MixMember> members_;
};

}  // namespace village::test
