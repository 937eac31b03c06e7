#include "village/mix/topology.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/random.hpp"

namespace village::mix {
namespace {

constexpr std::string_view layer_domain = "villaged-mixlayer-v1";

NodeEntry entry_of(const Descriptor& node, Epoch epoch) {
  const auto* key = node.sphinx_key(epoch);
  VG_CHECK(key != nullptr);
  return {node.id(), node.key,   node.link,          node.mix_address,  *key,         node.vrf_key,
          0,         node.roles, node.operator_name, node.capacity_pps, node.profiles};
}

std::uint64_t first_u64(ByteView bytes) {
  std::uint64_t value = 0;
  for (const auto b : bytes.first(8)) value = value << 8 | std::to_integer<std::uint64_t>(b);
  return value;
}

}  // namespace

std::size_t MixView::AddressHash::operator()(const sphinx::NodeAddress& address) const {
  // Multiplications in a chain with a secret start: enough against addresses chosen to collide.
  std::uint64_t sum = secret;
  for (std::size_t at = 0; at < address.size(); at += 8) {
    sum = (sum ^ first_u64(ByteView{address}.subspan(at))) * 0x9e3779b97f4a7c15U;
    sum ^= sum >> 29;
  }
  return sum;
}

std::shared_ptr<const MixView> MixView::make(const Document& document) {
  return std::shared_ptr<const MixView>{new MixView{document}};
}

MixView::MixView(const Document& document)
    : epoch_{document.epoch},
      valid_from_{document.valid_from},
      valid_until_{document.valid_until},
      parameters_{document.parameters},
      by_address_{2 * document.nodes.size() + 1, AddressHash{crypto::SystemRandom{}.u64()}} {
  nodes_.reserve(document.nodes.size());
  for (const auto& node : document.nodes) nodes_.push_back(entry_of(node, epoch_));
  assign_layers(document.randomness);
  for (const auto& node : nodes_) {
    by_address_.emplace(node.mix_address, &node);
    if (node.roles.gateway) add(0, node);
    if (node.layer != 0) add(node.layer, node);
  }
}

void MixView::add(std::size_t group, const NodeEntry& node) {
  auto& to = groups_[group];
  const auto before = to.capacity_upto.empty() ? 0 : to.capacity_upto.back();
  to.members.push_back(&node);
  to.capacity_upto.push_back(before + node.capacity_pps);
}

void MixView::assign_layers(const ByteArray<32>& randomness) {
  struct Drawn {
    ByteArray<32> order;
    NodeEntry* node;
  };
  std::vector<Drawn> drawn;
  for (auto& node : nodes_) {
    if (!node.roles.mix) continue;
    drawn.push_back({crypto::sha256({as_bytes(layer_domain), randomness, node.id.view()}), &node});
  }
  std::sort(drawn.begin(), drawn.end(), [](const Drawn& a, const Drawn& b) { return a.order < b.order; });
  // One of the six orders of three layers, so that the first node drawn is not always in the first layer.
  std::array<std::uint8_t, mix_layers> number{1, 2, 3};
  const auto permutation = first_u64(crypto::sha256({as_bytes(layer_domain), randomness})) % 6;
  for (std::uint64_t i = 0; i < permutation; ++i) std::next_permutation(number.begin(), number.end());
  std::array<std::pair<std::uint64_t, std::size_t>, mix_layers> load{};  // capacity, nodes
  for (const auto& [order, node] : drawn) {
    const auto at = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    load[at].first += node->capacity_pps;
    ++load[at].second;
    node->layer = number[at];
  }
}

const NodeEntry* MixView::find(const sphinx::NodeAddress& address) const {
  const auto found = by_address_.find(address);
  return found != by_address_.end() ? found->second : nullptr;
}

const NodeEntry* MixView::find(const wire::NodeId& id) const {
  const auto found =
      std::lower_bound(nodes_.begin(), nodes_.end(), id,
                       [](const NodeEntry& node, const wire::NodeId& at) { return node.id < at; });
  return found != nodes_.end() && found->id == id ? &*found : nullptr;
}

const NodeEntry& MixView::draw(std::size_t group, RandomSource& random) const {
  const auto& from = groups_.at(group);
  VG_CHECK(!from.members.empty());
  const auto ticket = random.below(from.capacity_upto.back());
  const auto at = std::upper_bound(from.capacity_upto.begin(), from.capacity_upto.end(), ticket);
  return *from.members[static_cast<std::size_t>(at - from.capacity_upto.begin())];
}

}  // namespace village::mix
