#pragma once
// SeenMessages: which messages were delivered, so that none is delivered twice.
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/mix/message_limits.hpp"
#include "village/mix/moment.hpp"
#include "village/mix/plain_payload.hpp"

namespace village::mix {

/// SeenMessage is a message id and until when it must be known.
struct SeenMessage {
  MessageId id{};
  WallTime until{};
  DeliveryProof proof{};  ///< for the acknowledgement, should it have been lost
};

/// SeenMessages remembers ids for seen_time (26 h) of the monotonic clock: longer than a message is accepted
/// after it was sealed. What is forgotten cannot come back, whatever the wall clock does: is_forgotten tells
/// of a seal whether its message may have been delivered and forgotten. When it is full the oldest id goes,
/// so that a flood of messages shortens how old a message may be (to 80 minutes at 50 a second), but keeps no
/// new ones out. Ids are chosen by strangers: the hash is keyed. About 120 bytes each. Durable by
/// service/mix_seen_file.
class SeenMessages {
 public:
  explicit SeenMessages(RandomSource& random, std::size_t messages_max = limits::seen_messages_max);

  bool contains(const MessageId& id) const { return ids_.contains(id); }
  /// add remembers an id delivered now, in place of the oldest when all is full; false if it is there
  /// already.
  bool add(const MessageId& id, Moment now, const DeliveryProof& proof = {}) {
    return restore({id, now.wall + limits::seen_time, proof}, now);
  }
  /// is_forgotten: a message sealed then may have been one of those whose ids are forgotten.
  bool is_forgotten(WallTime sealed) const {
    return sealed <= forgotten_until_ - limits::seen_time + limits::message_ahead_max;
  }
  /// proof of a message that is in it; nullptr for others. Valid until the next change.
  const DeliveryProof* proof(const MessageId& id) const;
  /// restore takes over what a file kept, for as long as the wall clock says now, 26 h at most.
  bool restore(const SeenMessage& seen, Moment now);
  /// forget takes over from a file that an id that was to be known until then is known no more. A date in the
  /// future counts as now, or a clock that was once ahead would refuse all messages for long.
  void forget(WallTime until, WallTime wall);
  /// forgotten_until is the latest such date: a file must keep it.
  WallTime forgotten_until() const { return forgotten_until_; }
  /// expire forgets what is old; returns how many.
  std::size_t expire(Moment now);

  struct Entry : SeenMessage {
    Instant expires{};
  };
  const std::deque<Entry>& entries() const { return entries_; }

 private:
  struct Hash {
    std::uint64_t key[2];
    std::size_t operator()(const MessageId& id) const;
  };
  std::size_t messages_max_;
  void drop_first(WallTime wall);
  std::deque<Entry> entries_;  ///< in the order of delivery
  WallTime forgotten_until_{};
  std::unordered_map<MessageId, DeliveryProof, Hash> ids_;
};

}  // namespace village::mix
