#include "service/mix_neighbours.hpp"

#include <algorithm>
#include <set>

namespace village::service {
namespace {

constexpr mix::NeighbourIndex numbers = own_neighbour;

const TunnelPeer* find(const std::vector<TunnelPeer>& peers, const crypto::Ed25519Public& key) {
  const auto place =
      std::find_if(peers.begin(), peers.end(), [&](const auto& peer) { return peer.key == key; });
  return place == peers.end() ? nullptr : &*place;
}

}  // namespace

std::string mix_peer_name(const crypto::Ed25519Public& key) {
  return "mix-" + wire::NodeId::of(key).name().substr(4, 12);
}

mix::NeighbourIndex MixNeighbourTable::number(const crypto::Ed25519Public& key) {
  if (const auto known = numbers_.find(key); known != numbers_.end()) return known->second;
  std::set<mix::NeighbourIndex> taken;
  for (const auto& [each, index] : numbers_) taken.insert(index);
  for (mix::NeighbourIndex tried = 0; tried < numbers && taken.contains(next_); ++tried)
    next_ = (next_ + 1) % numbers;
  const auto index = next_;
  next_ = (next_ + 1) % numbers;
  numbers_[key] = index;
  return index;
}

std::shared_ptr<const MixNeighbours> MixNeighbourTable::update(
    const std::vector<std::shared_ptr<const mix::MixView>>& views, const std::vector<TunnelPeer>& configured,
    RandomSource& random) {
  std::map<crypto::Ed25519Public, const mix::NodeEntry*> nodes;
  for (const auto& view : views) {
    for (const auto& node : view->nodes()) {
      if (node.key != self_) nodes.emplace(node.key, &node);
    }
  }
  std::erase_if(numbers_, [&](const auto& each) { return !nodes.contains(each.first); });
  auto table = std::make_shared<MixNeighbours>();
  std::vector<mix::RouteTable::Route> routes;
  // Another address of a node in the next document is good too; where documents differ the first one's wins.
  for (auto view = views.rbegin(); view != views.rend(); ++view) {
    for (const auto& node : (*view)->nodes()) {
      if (node.key != self_) {
        routes.push_back({node.mix_address, number(node.key)});
      } else {
        table->own.push_back(node.mix_address);
      }
    }
  }
  for (const auto& [key, node] : nodes) {
    const auto index = number(key);
    const auto* own = find(configured, key);
    if (table->by_index.size() <= index) table->by_index.resize(index + 1);
    table->by_index[index] = MixNeighbour{key, own != nullptr ? own->name : mix_peer_name(key), node->address,
                                          node->mix_address, node->capacity_pps};
    table->by_key[key] = index;
  }
  if (!views.empty()) table->routes = std::make_shared<const mix::RouteTable>(routes, random);
  return table;
}

std::vector<TunnelPeer> MixNeighbourTable::peers(const MixNeighbours& neighbours,
                                                 const std::vector<TunnelPeer>& configured) {
  std::vector<TunnelPeer> peers;
  for (const auto& neighbour : neighbours.by_index) {
    if (!neighbour) continue;
    TunnelPeer peer;
    if (const auto* own = find(configured, neighbour->key)) {
      peer = *own;
    } else {
      peer.name = neighbour->peer;
      peer.key = neighbour->key;
      peer.outer = Outer::none;
      peer.may_exit = false;
    }
    if (!peer.address) {
      peer.address = neighbour->link;
      peer.outer = Outer::none;
      peer.pin.reset();
      peer.ticket.reset();
    }
    // Who may not come in by the operator's own entry may bring packets, and nothing else.
    peer.may_exit = peer.may_exit && peer.allow_inbound;
    peer.allow_inbound = true;
    peers.push_back(std::move(peer));
  }
  return peers;
}

}  // namespace village::service
