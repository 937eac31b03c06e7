#include "village/htx/ticket_replays.hpp"

#include <algorithm>
#include <cstring>

#include "htx/keyed_mix.hpp"
#include "village/base/check.hpp"

namespace village::htx {
namespace {

constexpr std::size_t slots_min = 64;

// The last hour in which a ticket of hour h can be accepted is h + 1.
constexpr std::uint64_t hours_kept = 1;

}  // namespace

TicketReplays::TicketReplays(std::size_t entries_max, RandomSource& random)
    : entries_max_{entries_max}, hash_key_{random.u64(), random.u64()} {
  index_all(slots_min);
}

// The slot that holds the tag, or the free one where it would go.
std::size_t TicketReplays::slot_of(const TicketTag& tag) const {
  std::uint64_t words[4];
  std::memcpy(words, tag.data(), sizeof words);
  auto mixed = hash_key_[0];
  for (const auto word : words) mixed = keyed_mix(word ^ mixed, hash_key_[0], hash_key_[1]);
  const auto mask = index_.size() - 1;
  auto slot = mixed & mask;
  while (index_[slot] != 0 && entries_[index_[slot] - 1].tag != tag) slot = (slot + 1) & mask;
  return slot;
}

void TicketReplays::index_all(std::size_t slots) {
  VG_CHECK(entries_.size() * 2 <= slots);
  index_.assign(slots, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    index_[slot_of(entries_[i].tag)] = static_cast<std::uint32_t>(i + 1);
  }
}

bool TicketReplays::contains(const TicketTag& tag) const { return index_[slot_of(tag)] != 0; }

TicketReplays::Taken TicketReplays::take(const ReplayEntry& entry) {
  if (contains(entry.tag)) return Taken::repeated;
  if (entry.hour <= stale_hour_) return Taken::stale;
  if (entries_.size() >= entries_max_) return Taken::full;
  if ((entries_.size() + 1) * 2 > index_.size()) index_all(index_.size() * 2);
  const auto slot = slot_of(entry.tag);
  entries_.push_back(entry);
  index_[slot] = static_cast<std::uint32_t>(entries_.size());
  return Taken::added;
}

bool TicketReplays::drop_expired(std::uint64_t hour) {
  if (hour == dropped_at_ || hour <= hours_kept) return false;
  dropped_at_ = hour;
  const auto last_expired = hour - hours_kept - 1;
  const auto expired = std::stable_partition(entries_.begin(), entries_.end(),
                                             [=](const auto& entry) { return entry.hour > last_expired; });
  if (expired == entries_.end()) return false;
  for (auto at = expired; at != entries_.end(); ++at) stale_hour_ = std::max(stale_hour_, at->hour);
  entries_.erase(expired, entries_.end());
  entries_.shrink_to_fit();
  auto slots = slots_min;
  while (slots < entries_.size() * 2) slots *= 2;
  index_all(slots);
  index_.shrink_to_fit();
  return true;
}

void TicketReplays::raise_stale_hour(std::uint64_t hour) { stale_hour_ = std::max(stale_hour_, hour); }

}  // namespace village::htx
