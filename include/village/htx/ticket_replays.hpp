#pragma once
// TicketReplays: the tickets that opened the door already, for as long as they could open it again.
//
// A ticket is known by its tag and not by the client's public key, as Betanet 1.1 has it: X25519 ignores one
// bit of a public key, and a point of low order added to it changes nothing, so that up to sixteen keys
// make the same tag and each would open the door once more. A tag belongs to exactly one hour.
//
// An entry is kept until no clock reading can accept the ticket any more: a ticket of hour h is good until
// h + 1 ends, up to three hours after it was taken by a server whose clock is behind, so "two hours" from its
// use would leave a gap. What was dropped stays refused even if the wall clock is set back: hours up to the
// highest one dropped are stale for good.
#include <cstdint>
#include <vector>

#include "village/base/random.hpp"
#include "village/htx/access_ticket.hpp"

namespace village::htx {

struct ReplayEntry {
  TicketTag tag{};
  std::uint64_t hour = 0;  ///< the hour that matched
};
static_assert(sizeof(ReplayEntry) == 40);

/// TicketReplays holds at most `entries_max`: 40 bytes each and up to 16 of index, grown on demand. When it
/// is full, new tickets are refused: nothing that was accepted is forgotten early.
class TicketReplays {
 public:
  enum class Taken : std::uint8_t { added, repeated, stale, full };

  TicketReplays(std::size_t entries_max, RandomSource& random);
  bool contains(const TicketTag& tag) const;
  /// take remembers a ticket whose tag matched `entry.hour`. O(1), but for growth.
  Taken take(const ReplayEntry& entry);
  /// drop_expired forgets what is of no use at `hour`; true if anything was. O(entries), once an hour.
  bool drop_expired(std::uint64_t hour);
  /// raise_stale_hour takes over what a former process had dropped.
  void raise_stale_hour(std::uint64_t hour);
  void set_entries_max(std::size_t entries_max) { entries_max_ = entries_max; }

  const std::vector<ReplayEntry>& entries() const { return entries_; }
  std::uint64_t stale_hour() const { return stale_hour_; }  ///< tickets of this hour and before are refused
  std::size_t entries_max() const { return entries_max_; }

 private:
  std::size_t slot_of(const TicketTag& tag) const;
  void index_all(std::size_t slots);

  std::size_t entries_max_;
  std::uint64_t hash_key_[2];
  std::uint64_t stale_hour_ = 0;
  std::uint64_t dropped_at_ = 0;
  std::vector<ReplayEntry> entries_;
  std::vector<std::uint32_t> index_;  ///< open addressing: 1 + place in entries_, 0 = free; at most half full
};

}  // namespace village::htx
