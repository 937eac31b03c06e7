#include "village/mix/reassembly.hpp"

#include <algorithm>

#include "village/base/check.hpp"

namespace village::mix {

Reassembly::Reassembly(std::size_t fragment_bytes, const Options& options)
    : fragment_bytes_{fragment_bytes}, options_{options} {
  VG_CHECK(fragment_bytes > 0);
}

Instant Reassembly::Partial::deadline() const {
  return std::min<Instant>(last + limits::fragment_wait_max, first + limits::partial_time_max);
}

bool Reassembly::has(const MessageId& id, std::uint16_t index) const {
  const auto found = partials_.find(id);
  return found != partials_.end() && found->second.fragments.contains(index);
}

bool Reassembly::size_fits(const PlainPayload& fragment) const {
  const bool last = fragment.index + 1 == fragment.count;
  if (last ? fragment.data.size() > fragment_bytes_ : fragment.data.size() != fragment_bytes_) return false;
  return (fragment.count - std::size_t{1}) * fragment_bytes_ < limits::sealed_bytes_max;
}

Reassembly::Taken Reassembly::take(const PlainPayload& fragment, const Arrival& arrival, Instant now) {
  VG_CHECK(fragment.carries_message());
  if (!size_fits(fragment)) return Taken::conflict;
  const bool whole = fragment.count == 1;  // takes no place for longer than until finish
  const auto found = partials_.find(fragment.message_id);
  const bool fresh = found == partials_.end();
  if (!fresh) {
    auto& partial = found->second;
    if (partial.count != fragment.count || partial.type != fragment.type) return Taken::conflict;
    if (partial.answers != arrival.answers) return Taken::conflict;
    const auto kept = partial.fragments.find(fragment.index);
    if (kept != partial.fragments.end()) {
      auto& [data, receipt] = kept->second;
      if (!std::equal(data.begin(), data.end(), fragment.data.begin(), fragment.data.end())) {
        return Taken::conflict;
      }
      if (receipt != 0 || arrival.receipt == 0) return Taken::repeated;
      receipt = arrival.receipt;
      ++receipts_;
      return Taken::resumed;
    }
  }
  const Share former = fresh ? Share{} : found->second.share;
  const Share share = arrival.sender ? Share{arrival.sender} : former;
  const auto cost =
      fragment.data.size() + limits::fragment_bytes + (fresh ? limits::partial_message_bytes : 0);
  const bool moves = !fresh && share != former;
  const Charged moved = moves ? Charged{found->second.bytes, 1} : Charged{};
  const Charged added{cost + moved.bytes, fresh || moves ? 1U : 0U};
  if (!whole) {
    const bool has_room = share ? sender_has_room(share, added.bytes, added.messages)
                                : make_room_for_unknown(fragment.message_id, cost);
    if (!has_room || !make_room(fragment.message_id, cost, fresh ? 1 : 0)) return Taken::full;
  }

  auto& partial = fresh ? partials_[fragment.message_id] : found->second;
  discharge(former, moved);
  charge(share, added);
  if (!fresh) leave_turns(partial);
  partial.share = share;
  partial.bytes += cost;
  bytes_ += cost;
  if (fresh) {
    partial.type = fragment.type;
    partial.count = fragment.count;
    partial.answers = arrival.answers;
    partial.first = now;
  }
  partial.last = now;
  take_turn(fragment.message_id, partial);
  partial.fragments.emplace(fragment.index, Piece{to_bytes(fragment.data), arrival.receipt});
  receipts_ += arrival.receipt != 0 ? 1 : 0;
  check_at_ = std::min(check_at_.value_or(partial.deadline()), partial.deadline());
  return partial.fragments.size() == partial.count ? Taken::complete : Taken::stored;
}

// --- room

Reassembly::Charged Reassembly::charged(const Share& share) const {
  const auto found = shares_.find(share);
  return found == shares_.end() ? Charged{} : found->second;
}

bool Reassembly::sender_has_room(const Share& share, std::size_t bytes, std::size_t messages) const {
  const auto has = charged(share);
  return has.bytes + bytes <= options_.sender_bytes_max &&
         has.messages + messages <= options_.sender_messages_max;
}

/// make_room evicts until all have room for a fragment of `id`, which stays itself.
bool Reassembly::make_room(const MessageId& id, std::size_t bytes, std::size_t messages) {
  while (bytes_ + bytes > options_.bytes_max || partials_.size() + messages > options_.messages_max) {
    if (!evict_first(turns_, id)) return false;
  }
  return true;
}

bool Reassembly::make_room_for_unknown(const MessageId& id, std::size_t bytes) {
  while (charged({}).bytes + bytes > options_.sender_bytes_max) {
    if (!evict_first(unknown_turns_, id)) return false;
  }
  return true;
}

bool Reassembly::evict_first(const Turns& turns, const MessageId& but) {
  auto first = turns.begin();
  if (first != turns.end() && first->second == but) ++first;
  if (first == turns.end()) return false;
  Evicted evicted{first->second, {}};
  drop(partials_.find(evicted.id), evicted.receipts);
  evicted_now_.push_back(std::move(evicted));
  ++evicted_;
  return true;
}

void Reassembly::take_turn(const MessageId& id, Partial& partial) {
  partial.turn = ++turn_;
  turns_.emplace(partial.turn, id);
  if (!partial.share) unknown_turns_.emplace(partial.turn, id);
}

void Reassembly::leave_turns(const Partial& partial) {
  turns_.erase(partial.turn);
  unknown_turns_.erase(partial.turn);
}

// --- the end of a message

Reassembly::Message Reassembly::finish(const MessageId& id) {
  const auto at = partials_.find(id);
  VG_CHECK(at != partials_.end() && at->second.fragments.size() == at->second.count);
  auto& partial = at->second;
  Message message{id, partial.type, partial.answers, {}, {}};
  message.sealed.reserve(partial.count * fragment_bytes_);
  for (const auto& [index, piece] : partial.fragments) {
    message.sealed.insert(message.sealed.end(), piece.data.begin(), piece.data.end());
  }
  drop(at, message.receipts);
  return message;
}

std::vector<std::uint64_t> Reassembly::discard(const MessageId& id) {
  std::vector<std::uint64_t> receipts;
  const auto at = partials_.find(id);
  if (at != partials_.end()) drop(at, receipts);
  return receipts;
}

std::vector<std::uint64_t> Reassembly::expire(Instant now) {
  std::vector<std::uint64_t> receipts;
  if (!check_at_ || now < *check_at_) return receipts;
  check_at_.reset();
  for (auto at = partials_.begin(); at != partials_.end();) {
    const auto next = std::next(at);
    const auto deadline = at->second.deadline();
    if (deadline <= now) {
      drop(at, receipts);
      ++expired_;
    } else {
      check_at_ = std::min(check_at_.value_or(deadline), deadline);
    }
    at = next;
  }
  return receipts;
}

std::optional<Instant> Reassembly::next_deadline() const {
  if (partials_.empty()) return std::nullopt;
  return check_at_;
}

void Reassembly::forget_receipts() {
  for (auto& [id, partial] : partials_) {
    for (auto& [index, piece] : partial.fragments) piece.receipt = 0;
  }
  receipts_ = 0;
}

void Reassembly::charge(const Share& share, const Charged& with) {
  if (with.bytes == 0) return;
  auto& has = shares_[share];
  has.bytes += with.bytes;
  has.messages += with.messages;
}

void Reassembly::discharge(const Share& share, const Charged& of) {
  const auto found = shares_.find(share);
  if (of.bytes == 0 || !VG_EXPECT(found != shares_.end() && found->second.bytes >= of.bytes)) return;
  found->second.bytes -= of.bytes;
  found->second.messages -= of.messages;
  if (found->second.bytes == 0) shares_.erase(found);
}

void Reassembly::drop(Partials::iterator at, std::vector<std::uint64_t>& receipts) {
  for (const auto& [index, piece] : at->second.fragments) {
    if (piece.receipt == 0) continue;
    receipts.push_back(piece.receipt);
    --receipts_;
  }
  discharge(at->second.share, {at->second.bytes, 1});
  leave_turns(at->second);
  bytes_ -= at->second.bytes;
  partials_.erase(at);
}

}  // namespace village::mix
