#pragma once
// The nodes of the directory as links know them: numbers for workers, names for the tunnel.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "village/mix/limits.hpp"
#include "village/mix/rate_limit.hpp"
#include "village/mix/route_table.hpp"
#include "village/mix/topology.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::service {

/// MixNeighbour is one other node of the mixnet.
struct MixNeighbour {
  crypto::Ed25519Public key{};
  std::string peer;  ///< its name in the tunnel
  Target link;
  sphinx::NodeAddress address{};
  std::uint64_t capacity_pps = 0;
};

/// own_neighbour is the number of the link that a node is to itself: for packets of its clients whose first
/// hop it is.
inline constexpr mix::NeighbourIndex own_neighbour = mix::limits::neighbours_max - 1;

/// MixNeighbours is a state of the table. Immutable, shared by all cores.
struct MixNeighbours {
  std::vector<std::optional<MixNeighbour>> by_index;
  std::map<crypto::Ed25519Public, mix::NeighbourIndex> by_key;
  std::shared_ptr<const mix::RouteTable> routes;  ///< null = no valid document: nothing is forwarded
  std::vector<sphinx::NodeAddress> own;           ///< what packets call this node

  std::optional<mix::NeighbourIndex> find(const crypto::Ed25519Public& key) const {
    const auto place = by_key.find(key);
    return place == by_key.end() ? std::nullopt : std::optional{place->second};
  }
};

/// MixNeighbourTable numbers neighbours: a node keeps its number while it is in a document, and a number is
/// given to another node as late as can be. One thread.
class MixNeighbourTable {
 public:
  /// `self` is left out.
  explicit MixNeighbourTable(const crypto::Ed25519Public& self) : self_{self} {}

  /// update makes the table of the nodes of all `views` (of this epoch and the next); those of the first are
  /// routed to where two differ. `configured` are the operator's own peers: a neighbour among them is dialled
  /// as he says. No view: an empty table.
  std::shared_ptr<const MixNeighbours> update(const std::vector<std::shared_ptr<const mix::MixView>>& views,
                                              const std::vector<TunnelPeer>& configured,
                                              RandomSource& random);
  /// peers are the entries that the tunnel needs for `neighbours` beside, or in place of, `configured`.
  static std::vector<TunnelPeer> peers(const MixNeighbours& neighbours,
                                       const std::vector<TunnelPeer>& configured);

 private:
  mix::NeighbourIndex number(const crypto::Ed25519Public& key);
  crypto::Ed25519Public self_;
  std::map<crypto::Ed25519Public, mix::NeighbourIndex> numbers_;
  mix::NeighbourIndex next_ = 0;
};

/// mix_peer_name is what the tunnel calls a node that the directory names.
std::string mix_peer_name(const crypto::Ed25519Public& key);

}  // namespace village::service
