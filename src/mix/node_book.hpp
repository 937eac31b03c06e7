#pragma once
// NodeBook: the nodes that an authority knows, and who may be among them.
//
// Admitted nodes are named by the operator and always have a place. Strangers are taken only if the directory
// is open, and then within bounds that cost an attacker addresses in many networks, not keys, which are free:
//
//   address     a stranger's descriptor must come from the IP address that packets are to find it at, so that
//               nobody takes another's; an admitted node takes its address back from a stranger
//   network     open_network_nodes_max of one /16 (IPv4) or /32 (IPv6): as paths see networks
//   weight      open_capacity_pps_max of capacity at most, for paths are drawn by capacity
//   table       when all places are taken, a newcomer gets that of the newest of the most crowded network,
//               if that stays the more crowded one
//   votes       what other authorities list counts when more than half of them do
#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "village/base/target.hpp"
#include "village/mix/descriptor.hpp"

namespace village::mix {

struct AuthorityOptions;

class NodeBook {
 public:
  /// By is how a descriptor came: from its node, in one vote, in more than half of the votes, from our disk.
  enum class By { node, vote, votes, disk };
  struct Known {
    SignedDescriptor descriptor;
    bool equivocates = false;
    std::uint64_t arrival = 0;  ///< in the order of arrival of nodes, not of descriptors
  };

  explicit NodeBook(const AuthorityOptions& options);

  /// learn takes a descriptor; `from` is the address that a node sent it from. Errors: those of
  /// Authority::on_descriptor.
  Result<void> learn(const SignedDescriptor& said, By by, const std::optional<Host>& from, Epoch current);
  /// forget_expired drops nodes without a key for an epoch after `current`.
  void forget_expired(Epoch current);
  /// mark takes back from disk that a node signed two descriptors of one number; nothing for others.
  void mark_equivocating(const wire::NodeId& id);

  const std::map<wire::NodeId, Known>& nodes() const { return nodes_; }
  /// in_order gives them in the order of arrival: learned so again, the next to make room are the same.
  std::vector<const Known*> in_order() const;
  /// take_caught gives the nodes that were found signing two of one number since the last call.
  std::vector<crypto::Ed25519Public> take_caught() { return std::exchange(caught_, {}); }
  std::uint64_t version() const { return version_; }  ///< changes with what must be remembered

 private:
  using Network = std::array<std::byte, 5>;  ///< kind and the bytes that paths compare
  static Network network_of(const Descriptor& descriptor);
  bool is_stranger(const wire::NodeId& id) const { return !admitted_.contains(id); }
  Result<void> admit_stranger(const Descriptor& descriptor, By by, const std::optional<Host>& from) const;
  Result<std::optional<wire::NodeId>> place_for(const wire::NodeId& id, const Descriptor& descriptor) const;
  std::optional<wire::NodeId> newest_of(const Network& network) const;
  Result<void> conflict(Known& known, const SignedDescriptor& said);
  void put(const SignedDescriptor& said, const wire::NodeId& id);
  void drop(const wire::NodeId& id);

  std::set<wire::NodeId> admitted_;
  bool open_, distinct_networks_;
  std::map<wire::NodeId, Known> nodes_;
  std::map<sphinx::NodeAddress, wire::NodeId> holders_;
  std::map<Network, std::size_t> strangers_by_network_;
  std::size_t strangers_ = 0;
  std::uint64_t arrivals_ = 0, version_ = 0;
  std::vector<crypto::Ed25519Public> caught_;
};

}  // namespace village::mix
