#pragma once
// Reassembly: fragments come in, sealed messages come out.
#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/time.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/mix/message_limits.hpp"
#include "village/mix/plain_payload.hpp"

namespace village::mix {

/// Answers is the message that a reply belongs to.
struct Answers {
  MessageId message{};
  crypto::Ed25519Public peer{};  ///< who got its reply blocks: the only one who may use them
  friend bool operator==(const Answers&, const Answers&) = default;
};

/// Arrival is what is known of a fragment beside its payload.
struct Arrival {
  std::uint64_t receipt = 0;                    ///< the gateway's sequence; given back with the message
  std::optional<crypto::Ed25519Public> sender;  ///< with fragment 0: whose message it is, proven by its head
  std::optional<Answers> answers;               ///< type reply: which message handed out the reply block
};

/// Reassembly keeps the fragments of unfinished messages. One thread, no clock.
///
/// Memory: what is kept is counted (data and a sum for each fragment and message), bounded in all, for each
/// sender, and together for all messages whose sender is not known yet because fragment 0 has not come. A
/// known sender beyond his own bounds is refused and not acknowledged, so that he tries again. Strangers cost
/// nothing to invent, so the bounds of all are kept by evicting: the message that has waited longest for its
/// next fragment goes (and its sender hears "failed" in the end). So who wants one message out must bring
/// 4,096 fragments, or 64 MiB, to this recipient between two fragments of it, each a packet of its own
/// through the mixnet; refusing instead would keep all messages out for ten minutes at the price of 4,096
/// packets once. Messages of one fragment always fit. A message that makes no progress for ten minutes, or is
/// not complete after an hour, is dropped.
class Reassembly {
 public:
  struct Options {
    std::size_t bytes_max = limits::reassembly_bytes_max;
    std::size_t sender_bytes_max = limits::sender_bytes_max;
    std::size_t messages_max = limits::partial_messages_max;
    std::size_t sender_messages_max = limits::sender_messages_max;
  };
  enum class Taken : std::uint8_t {
    stored,
    complete,  ///< stored, and it was the last one: call finish
    repeated,  ///< had it already
    resumed,   ///< had it already, but no receipt for it: this one is kept
    conflict,  ///< does not fit to the message's other fragments, or has no size a fragment can have
    full,      ///< a bound of its sender is reached
  };
  /// Evicted is a message that made room for others.
  struct Evicted {
    MessageId id{};
    std::vector<std::uint64_t> receipts;
  };
  /// Message is a complete one, still sealed.
  struct Message {
    MessageId id{};
    PayloadType type = PayloadType::data;
    std::optional<Answers> answers;
    Bytes sealed;
    std::vector<std::uint64_t> receipts;
  };

  /// fragment_bytes: of all fragments but the last (fragment_data_bytes).
  explicit Reassembly(std::size_t fragment_bytes) : Reassembly{fragment_bytes, Options{}} {}
  Reassembly(std::size_t fragment_bytes, const Options& options);

  /// take keeps a copy of a fragment (payload.carries_message(), VG_CHECKed). A receipt that is not kept
  /// (conflict, full, repeated) is the caller's to answer. What had to go for it is in take_evicted. O(log
  /// n).
  Taken take(const PlainPayload& fragment, const Arrival& arrival, Instant now);
  std::vector<Evicted> take_evicted() { return std::exchange(evicted_now_, {}); }
  /// finish hands out a complete message and forgets it. Call it when take said complete (VG_CHECKed).
  Message finish(const MessageId& id);
  /// discard forgets a message; its receipts.
  std::vector<std::uint64_t> discard(const MessageId& id);
  bool has(const MessageId& id) const { return partials_.contains(id); }
  bool has(const MessageId& id, std::uint16_t index) const;

  /// expire drops what waited too long and returns its receipts.
  std::vector<std::uint64_t> expire(Instant now);
  std::optional<Instant> next_deadline() const;
  /// forget_receipts: a new session with the gateway hands everything over again.
  void forget_receipts();

  std::size_t messages() const { return partials_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t receipts() const { return receipts_; }
  std::uint64_t expired() const { return expired_; }
  std::uint64_t evicted() const { return evicted_; }

 private:
  using Share = std::optional<crypto::Ed25519Public>;  ///< nullopt: sender not known yet
  struct Piece {
    Bytes data;
    std::uint64_t receipt = 0;
  };
  struct Partial {
    PayloadType type = PayloadType::data;
    std::uint16_t count = 0;
    std::optional<Answers> answers;
    Share share;
    std::map<std::uint16_t, Piece> fragments;
    std::size_t bytes = 0;
    Instant first{}, last{};
    std::uint64_t turn = 0;  ///< when the last fragment came, in the order of fragments
    Instant deadline() const;
  };
  using Partials = std::map<MessageId, Partial>;
  using Turns = std::map<std::uint64_t, MessageId>;  ///< the one that has waited longest first
  struct Charged {
    std::size_t bytes = 0, messages = 0;
  };

  bool size_fits(const PlainPayload& fragment) const;
  bool sender_has_room(const Share& share, std::size_t bytes, std::size_t messages) const;
  bool make_room(const MessageId& id, std::size_t bytes, std::size_t messages);
  bool make_room_for_unknown(const MessageId& id, std::size_t bytes);
  bool evict_first(const Turns& turns, const MessageId& but);
  Charged charged(const Share& share) const;
  void charge(const Share& share, const Charged& with);
  void discharge(const Share& share, const Charged& of);
  void take_turn(const MessageId& id, Partial& partial);
  void leave_turns(const Partial& partial);
  /// drop forgets a message and appends its receipts.
  void drop(Partials::iterator at, std::vector<std::uint64_t>& receipts);

  std::size_t fragment_bytes_;
  Options options_;
  Partials partials_;
  std::map<Share, Charged> shares_;
  Turns turns_, unknown_turns_;  ///< of all, and of those whose sender is not known
  std::uint64_t turn_ = 0;
  std::vector<Evicted> evicted_now_;
  std::size_t bytes_ = 0;
  std::size_t receipts_ = 0;
  std::uint64_t expired_ = 0, evicted_ = 0;
  std::optional<Instant> check_at_;  ///< no deadline is before it
};

}  // namespace village::mix
