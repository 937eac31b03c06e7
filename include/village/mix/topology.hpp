#pragma once
// Topology: the nodes of one epoch in their layers, and paths through them. Source: decisions/mix; mixnet.md
// section 5.
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "village/base/random.hpp"
#include "village/mix/document.hpp"

namespace village::mix {

inline constexpr std::size_t mix_layers = 3;

/// NodeEntry is what one node of the document is to the others.
struct NodeEntry {
  wire::NodeId id;
  crypto::Ed25519Public key{};
  Target address;                     ///< of its HTX listener
  sphinx::NodeAddress mix_address{};  ///< what packets call it
  crypto::X25519Public sphinx_key{};  ///< for the document's epoch
  crypto::Ed25519Public vrf_key{};
  std::uint8_t layer = 0;  ///< 1 to 3; 0 = no mix (a gateway only)
  Roles roles;
  std::string operator_name;
  std::uint64_t capacity_pps = 0;
  std::vector<std::string> profiles;
};

/// MixView is a verified document made ready for use. Immutable: share it by std::shared_ptr<const MixView>
/// between cores. The layers follow from the document alone, so that all nodes see the same:
/// mixes in the order of SHA-256("villaged-mixlayer-v1" | randomness | id) each go to the layer with the
/// least capacity so far (then the least nodes, then the lowest), and the three layers are numbered in an
/// order drawn from SHA-256("villaged-mixlayer-v1" | randomness). Nobody chooses his layer, and the layers'
/// capacities differ by one node's at most.
class MixView {
 public:
  /// Takes a document whose signatures and dates were verified. About 1 ms for 1,000 nodes.
  static std::shared_ptr<const MixView> make(const Document& document);
  MixView(const MixView&) = delete;
  MixView& operator=(const MixView&) = delete;

  Epoch epoch() const { return epoch_; }
  WallTime valid_from() const { return valid_from_; }
  WallTime valid_until() const { return valid_until_; }
  const Parameters& parameters() const { return parameters_; }
  std::span<const NodeEntry> nodes() const { return nodes_; }  ///< sorted by id
  /// layer gives the nodes of layer 1 to 3, gateways those of role gateway (also in a layer, perhaps).
  std::span<const NodeEntry* const> layer(std::size_t number) const { return groups_.at(number).members; }
  std::span<const NodeEntry* const> gateways() const { return groups_[0].members; }
  /// find: O(1) by address, O(log n) by id; nullptr if it is not in the document.
  const NodeEntry* find(const sphinx::NodeAddress& address) const;
  const NodeEntry* find(const wire::NodeId& id) const;

  /// draw picks a node of a layer (1 to 3) or, with 0, a gateway, weighted by capacity. The group must not be
  /// empty (VG_CHECKed). O(log n).
  const NodeEntry& draw(std::size_t group, RandomSource& random) const;

 private:
  struct Group {
    std::vector<const NodeEntry*> members;
    std::vector<std::uint64_t> capacity_upto;  ///< sums: of this member and those before
  };
  struct AddressHash {
    std::uint64_t secret;  ///< nodes choose their addresses
    std::size_t operator()(const sphinx::NodeAddress& address) const;
  };
  explicit MixView(const Document& document);
  void add(std::size_t group, const NodeEntry& node);
  void assign_layers(const ByteArray<32>& randomness);

  Epoch epoch_;
  WallTime valid_from_, valid_until_;
  Parameters parameters_;
  std::vector<NodeEntry> nodes_;
  std::array<Group, 1 + mix_layers> groups_;  ///< 0 = gateways
  std::unordered_map<sphinx::NodeAddress, const NodeEntry*, AddressHash> by_address_;
};

/// PathOptions say what a path must be. The defaults of the document's parameters hold where nothing is said.
struct PathOptions {
  /// hops, the recipient included: 1 = the recipient alone; 2 to 4 = layers 1 to hops - 1, then the
  /// recipient; 5 = a gateway in front (`entry`, or a random one).
  std::optional<std::size_t> hops;
  std::optional<wire::NodeId> entry;
  bool distinct_operators =
      true;  ///< never two hops of one operator (a node without one shares it with none)
  /// never two hops in one /16 or /32; the document decides. Tests on loopback say false.
  std::optional<bool> distinct_networks;
};

/// choose_path picks a way to `recipient`: the gateway of a client, or any node (a mix that sends a loop
/// packet to itself). No node stands twice in it. Each combination that the rules allow has a chance in
/// proportion to the product of its capacities. The pointers live as long as the view.
/// Errors: not_found (the recipient, or `entry`, is not in the document); exhausted (no node at all for hop
/// `detail`, counted from 1); denied (the rules leave no node for hop `detail`: the document is too small for
/// them; also when a search of limits::path_steps_max steps found none). directory_problem puts it in words.
/// 0.3 to 0.5 us with 1,000 nodes; where few combinations keep the rules, about 0.1 ms.
Result<std::vector<const NodeEntry*>> choose_path(const MixView& view, const wire::NodeId& recipient,
                                                  RandomSource& random, const PathOptions& options = {});

/// is_same_network: one /16 (IPv4) or /32 (IPv6).
bool is_same_network(const sphinx::NodeAddress& a, const sphinx::NodeAddress& b);

}  // namespace village::mix
