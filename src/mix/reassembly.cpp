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
  const auto found = partials_.find(fragment.message_id);
  const bool fresh = found == partials_.end();
  if (!fresh) {
    auto& partial = found->second;
    if (partial.count != fragment.count || partial.type != fragment.type) return Taken::conflict;
    const auto kept = partial.fragments.find(fragment.index);
    if (kept != partial.fragments.end()) return repeat(partial, kept->second, fragment, arrival);
  } else if (partials_.size() >= options_.messages_max) {
    return Taken::full;
  }
  const Share former = fresh ? Share{} : found->second.share;
  const Share share = arrival.sender ? Share{arrival.sender} : former;
  const auto cost =
      fragment.data.size() + limits::fragment_bytes + (fresh ? limits::partial_message_bytes : 0);
  const auto moved = fresh || share == former ? 0 : found->second.bytes;
  if (bytes_ + cost > options_.bytes_max || !share_has_room(share, cost + moved)) return Taken::full;

  auto& partial = fresh ? partials_[fragment.message_id] : found->second;
  discharge(former, moved);
  charge(share, cost + moved);
  partial.share = share;
  partial.bytes += cost;
  bytes_ += cost;
  if (fresh) {
    partial.type = fragment.type;
    partial.count = fragment.count;
    partial.first = now;
  }
  if (arrival.answers) partial.answers = arrival.answers;
  partial.last = now;
  partial.fragments.emplace(fragment.index, to_bytes(fragment.data));
  if (arrival.receipt != 0) partial.receipts.push_back(arrival.receipt);
  check_at_ = std::min(check_at_.value_or(partial.deadline()), partial.deadline());
  return partial.fragments.size() == partial.count ? Taken::complete : Taken::stored;
}

/// repeat is a fragment that is there already. Its receipt is kept with the others, so that it is
/// acknowledged with the message; but no more of them than a message of repeats could have.
Reassembly::Taken Reassembly::repeat(Partial& partial, const Bytes& kept, const PlainPayload& fragment,
                                     const Arrival& arrival) {
  if (!std::equal(kept.begin(), kept.end(), fragment.data.begin(), fragment.data.end()))
    return Taken::conflict;
  const auto room = std::size_t{limits::transmissions_max} * partial.count;
  if (arrival.receipt != 0 && partial.receipts.size() < room) partial.receipts.push_back(arrival.receipt);
  return Taken::repeated;
}

Reassembly::Message Reassembly::finish(const MessageId& id) {
  const auto at = partials_.find(id);
  VG_CHECK(at != partials_.end() && at->second.fragments.size() == at->second.count);
  auto& partial = at->second;
  Message message{id, partial.type, partial.answers, {}, std::move(partial.receipts)};
  message.sealed.reserve(partial.count * fragment_bytes_);
  for (const auto& [index, data] : partial.fragments) {
    message.sealed.insert(message.sealed.end(), data.begin(), data.end());
  }
  drop(at);
  return message;
}

std::vector<std::uint64_t> Reassembly::discard(const MessageId& id) {
  const auto at = partials_.find(id);
  if (at == partials_.end()) return {};
  auto receipts = std::move(at->second.receipts);
  drop(at);
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
      receipts.insert(receipts.end(), at->second.receipts.begin(), at->second.receipts.end());
      drop(at);
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
  for (auto& [id, partial] : partials_) partial.receipts.clear();
}

bool Reassembly::share_has_room(const Share& share, std::size_t bytes) const {
  const auto found = shares_.find(share);
  return (found == shares_.end() ? 0 : found->second) + bytes <= options_.sender_bytes_max;
}

void Reassembly::charge(const Share& share, std::size_t bytes) {
  if (bytes > 0) shares_[share] += bytes;
}

void Reassembly::discharge(const Share& share, std::size_t bytes) {
  const auto found = shares_.find(share);
  if (bytes == 0 || !VG_EXPECT(found != shares_.end() && found->second >= bytes)) return;
  found->second -= bytes;
  if (found->second == 0) shares_.erase(found);
}

void Reassembly::drop(Partials::iterator at) {
  discharge(at->second.share, at->second.bytes);
  bytes_ -= at->second.bytes;
  partials_.erase(at);
}

}  // namespace village::mix
