#pragma once
// Reassembly: fragments come in, sealed messages come out.
#include <array>
#include <map>
#include <optional>
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
/// sender, and together for all messages whose sender is not known yet because fragment 0 has not come. What
/// does not fit is refused and not acknowledged, so that its sender tries again; messages of one fragment
/// always fit, so that who leaves messages unfinished keeps out no short ones. A message that makes no
/// progress for ten minutes, or is not complete after an hour, is dropped.
class Reassembly {
 public:
  struct Options {
    std::size_t bytes_max = limits::reassembly_bytes_max;
    std::size_t sender_bytes_max = limits::sender_bytes_max;
    std::size_t messages_max = limits::partial_messages_max;
  };
  enum class Taken : std::uint8_t {
    stored,
    complete,  ///< stored, and it was the last one: call finish
    repeated,  ///< had it already
    resumed,   ///< had it already, but no receipt for it: this one is kept
    conflict,  ///< does not fit to the message's other fragments, or has no size a fragment can have
    full,      ///< a bound is reached
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
  /// (conflict, full, repeated) is the caller's to answer. O(log n).
  Taken take(const PlainPayload& fragment, const Arrival& arrival, Instant now);
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
    Instant deadline() const;
  };
  using Partials = std::map<MessageId, Partial>;

  bool size_fits(const PlainPayload& fragment) const;
  bool share_has_room(const Share& share, std::size_t bytes) const;
  void charge(const Share& share, std::size_t bytes);
  void discharge(const Share& share, std::size_t bytes);
  /// drop forgets a message and appends its receipts.
  void drop(Partials::iterator at, std::vector<std::uint64_t>& receipts);

  std::size_t fragment_bytes_;
  Options options_;
  Partials partials_;
  std::map<Share, std::size_t> shares_;
  std::size_t bytes_ = 0;
  std::size_t receipts_ = 0;
  std::uint64_t expired_ = 0;
  std::optional<Instant> check_at_;  ///< no deadline is before it
};

}  // namespace village::mix
