#pragma once
// SeenMessages: which messages were delivered, so that none is delivered twice.
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/mix/message_limits.hpp"
#include "village/mix/plain_payload.hpp"

namespace village::mix {

/// SeenMessage is a message id and until when it must be known.
struct SeenMessage {
  MessageId id{};
  WallTime until{};
  DeliveryProof proof{};  ///< for the acknowledgement, should it have been lost
};

/// SeenMessages remembers ids for seen_time (26 h): longer than a message is accepted after it was sealed, so
/// that a forgotten one cannot come back. When it is full new messages are refused, nothing is forgotten
/// early. Ids are chosen by strangers: the hash is keyed. About 110 bytes each. Durable by
/// service/mix_seen_file.
class SeenMessages {
 public:
  explicit SeenMessages(RandomSource& random, std::size_t messages_max = limits::seen_messages_max);

  bool contains(const MessageId& id) const { return ids_.contains(id); }
  bool full() const { return ids_.size() >= messages_max_; }
  /// add remembers an id delivered now; false if it is there already or all is full.
  bool add(const MessageId& id, WallTime now, const DeliveryProof& proof = {}) {
    return restore({id, now + limits::seen_time, proof});
  }
  /// proof of a message that is in it; nullptr for others. Valid until the next change.
  const DeliveryProof* proof(const MessageId& id) const;
  /// restore takes over what a file kept.
  bool restore(const SeenMessage& seen);
  /// expire forgets what is old; returns how many.
  std::size_t expire(WallTime now);

  const std::deque<SeenMessage>& entries() const { return entries_; }

 private:
  struct Hash {
    std::uint64_t key[2];
    std::size_t operator()(const MessageId& id) const;
  };
  std::size_t messages_max_;
  std::deque<SeenMessage> entries_;  ///< in the order of delivery
  std::unordered_map<MessageId, DeliveryProof, Hash> ids_;
};

}  // namespace village::mix
