#include "mix/node_book.hpp"

#include <algorithm>
#include <utility>

#include "village/mix/authority.hpp"
#include "village/mix/directory_limits.hpp"

namespace village::mix {
namespace {

constexpr Epoch future_epochs_max = 4;  ///< how far ahead of the clock a descriptor's first key may be

}  // namespace

NodeBook::NodeBook(const AuthorityOptions& options)
    : admitted_{options.admitted.begin(), options.admitted.end()},
      open_{options.open},
      distinct_networks_{options.parameters.distinct_networks} {}

NodeBook::Network NodeBook::network_of(const Descriptor& descriptor) {
  const auto& address = descriptor.mix_address;  // kind | port 2 | octets
  Network network{};
  network[0] = address[0];
  std::copy_n(address.begin() + 3, address[0] == std::byte{4} ? 2 : 4, network.begin() + 1);
  return network;
}

Result<void> NodeBook::learn(const SignedDescriptor& said, By by, const std::optional<Host>& from,
                             Epoch current) {
  const auto& descriptor = said.descriptor;
  const auto id = descriptor.id();
  if (is_stranger(id)) VG_TRY_VOID(admit_stranger(descriptor, by, from));
  if (descriptor.sphinx_keys.back().epoch <= current) return fail(Errc::timed_out);
  if (descriptor.sphinx_keys.front().epoch > current + future_epochs_max) return fail(Errc::unsupported);
  if (const auto known = nodes_.find(id); known != nodes_.end()) {
    const auto& former = known->second.descriptor.descriptor;
    if (descriptor.sequence < former.sequence) return fail(Errc::replayed);
    if (descriptor == former) return known->second.equivocates ? fail(Errc::already_exists) : ok();
    if (descriptor.sequence == former.sequence) return conflict(known->second, said);
  }
  const auto holder = holders_.find(descriptor.mix_address);
  const bool held = holder != holders_.end() && holder->second != id;
  if (held && (is_stranger(id) || !is_stranger(holder->second))) return fail(Errc::already_exists);
  VG_TRY(makes_room, place_for(id, descriptor));
  if (!verify(said)) return fail(Errc::bad_signature);
  if (held) drop(wire::NodeId{holder->second});
  if (makes_room) drop(*makes_room);
  put(said, id);
  return ok();
}

Result<void> NodeBook::admit_stranger(const Descriptor& descriptor, By by,
                                      const std::optional<Host>& from) const {
  if (!open_ || by == By::vote) return fail(Errc::denied);
  if (descriptor.capacity_pps > limits::open_capacity_pps_max) return fail(Errc::denied);
  if (by != By::node) return ok();
  const auto address = sphinx::target_of(descriptor.mix_address);
  if (!address || !from || address->host != *from) return fail(Errc::denied);
  return ok();
}

/// place_for gives whom a stranger's descriptor puts out of its place, if anybody. Errors: busy.
Result<std::optional<wire::NodeId>> NodeBook::place_for(const wire::NodeId& id,
                                                        const Descriptor& descriptor) const {
  std::optional<wire::NodeId> nobody;
  if (!is_stranger(id)) return nobody;
  const auto network = network_of(descriptor);
  const auto known = nodes_.find(id);
  const bool here = known != nodes_.end() && network_of(known->second.descriptor.descriptor) == network;
  if (here) return nobody;
  const auto counted = strangers_by_network_.find(network);
  const auto beside = counted == strangers_by_network_.end() ? 0 : counted->second;
  if (distinct_networks_ && beside >= limits::open_network_nodes_max) return fail(Errc::busy);
  const auto places = limits::nodes_max - std::min(admitted_.size(), limits::nodes_max);
  if (known != nodes_.end() || strangers_ < places) return nobody;
  const auto crowded = std::max_element(strangers_by_network_.begin(), strangers_by_network_.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
  if (crowded == strangers_by_network_.end() || crowded->second < beside + 2) return fail(Errc::busy);
  return newest_of(crowded->first);
}

std::optional<wire::NodeId> NodeBook::newest_of(const Network& network) const {
  std::optional<wire::NodeId> newest;
  std::uint64_t arrival = 0;
  for (const auto& [id, node] : nodes_) {
    if (!is_stranger(id) || network_of(node.descriptor.descriptor) != network) continue;
    if (newest && node.arrival < arrival) continue;
    newest = id;
    arrival = node.arrival;
  }
  return newest;
}

/// conflict: another descriptor with the number of the one we have.
Result<void> NodeBook::conflict(Known& known, const SignedDescriptor& said) {
  if (!verify(said)) return fail(Errc::bad_signature);
  if (!known.equivocates) {
    known.equivocates = true;
    ++version_;
    caught_.push_back(said.descriptor.key);
  }
  return fail(Errc::already_exists);
}

void NodeBook::put(const SignedDescriptor& said, const wire::NodeId& id) {
  const auto known = nodes_.find(id);
  const auto arrival = known == nodes_.end() ? ++arrivals_ : known->second.arrival;
  if (known != nodes_.end()) drop(id);
  holders_.insert_or_assign(said.descriptor.mix_address, id);
  nodes_.insert_or_assign(id, Known{said, false, arrival});
  if (is_stranger(id)) {
    ++strangers_;
    ++strangers_by_network_[network_of(said.descriptor)];
  }
  ++version_;
}

void NodeBook::drop(const wire::NodeId& id) {
  const auto known = nodes_.find(id);
  if (known == nodes_.end()) return;
  const auto& descriptor = known->second.descriptor.descriptor;
  holders_.erase(descriptor.mix_address);
  if (is_stranger(id)) {
    --strangers_;
    const auto counted = strangers_by_network_.find(network_of(descriptor));
    if (--counted->second == 0) strangers_by_network_.erase(counted);
  }
  nodes_.erase(known);
}

void NodeBook::forget_expired(Epoch current) {
  std::vector<wire::NodeId> over;
  for (const auto& [id, node] : nodes_) {
    if (node.descriptor.descriptor.sphinx_keys.back().epoch <= current) over.push_back(id);
  }
  for (const auto& id : over) drop(id);
}

void NodeBook::mark_equivocating(const wire::NodeId& id) {
  if (const auto known = nodes_.find(id); known != nodes_.end()) known->second.equivocates = true;
}

std::vector<const NodeBook::Known*> NodeBook::in_order() const {
  std::vector<const Known*> out;
  for (const auto& [id, node] : nodes_) out.push_back(&node);
  std::sort(out.begin(), out.end(), [](const Known* a, const Known* b) { return a->arrival < b->arrival; });
  return out;
}

}  // namespace village::mix
