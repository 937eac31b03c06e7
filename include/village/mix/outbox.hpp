#pragma once
// Outbox: messages on their way, fragment by fragment, until each is acknowledged or given up.
//
//   add -> next/sent (once for each packet that leaves) -> acknowledge ... -> event: delivered
//                        ^            | no acknowledgement in time
//                        +------------+  ... transmissions_max times -> event: failed
//
// A fragment is sent again after 1.5 x the expected time + 1.5 s, at most five times. Expected is what the
// nodes of both ways are asked to hold the packets for, plus what earlier acknowledgements took beyond that
// (queues of both clients, links): mean and twice the deviation, smoothed as TCP does. Source: decisions/mix,
// Plain payload.
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "village/base/error.hpp"
#include "village/base/time.hpp"
#include "village/mix/reply_blocks.hpp"

namespace village::mix {

/// SendFailure says why a message was given up. It may have arrived all the same: only acknowledgements are
/// known.
enum class SendFailure : std::uint8_t {
  unacknowledged,   ///< a fragment went six times without an answer
  out_of_time,      ///< the sender's time is over
  no_reply_blocks,  ///< a reply, and all blocks for it are used or expired
  cancelled,
};
std::string_view name(SendFailure failure);

/// SurplusTime is how much longer than the nodes' delays acknowledgements take.
class SurplusTime {
 public:
  explicit SurplusTime(Duration start) : mean_{start}, deviation_{start / 2} {}
  void add(Duration sample);
  Duration expected() const { return mean_ + 2 * deviation_; }

 private:
  Duration mean_, deviation_;
};

///
/// Messages take turns, but not more of them for one recipient than fit in a part of what he keeps for us
/// unfinished; the others wait in the order they came, short ones (64 KiB) not behind long ones.
class Outbox {
 public:
  struct Message {
    MessageId id{};
    PayloadType type = PayloadType::data;  ///< or reply
    Bytes sealed;
    Instant expires{};
    crypto::Ed25519Public recipient{};
    DeliveryProof proof{};
  };
  /// Pick is the fragment whose turn it is; `data` lives until the outbox changes.
  struct Pick {
    MessageId id{};
    PayloadType type = PayloadType::data;
    std::uint16_t index = 0;
    std::uint16_t count = 0;
    bool first_time = true;
    ByteView data;
  };
  struct Event {
    MessageId id{};
    std::optional<SendFailure> failure;  ///< nullopt: delivered
  };

  /// `blocks` must outlive the outbox: it forgets acknowledgement blocks there that are of no use any more.
  /// `surplus` is the first guess of SurplusTime.
  Outbox(std::size_t fragment_bytes, Duration surplus, ReplyBlocks& blocks);

  /// add takes a message. Errors: busy (outbox_bytes_max, outbox_messages_max), limit_exceeded (too long),
  /// already_exists.
  Result<void> add(Message message, Instant now);
  /// next shows the fragment to send now: messages take turns. nullopt: nothing to send before an
  /// acknowledgement or a deadline.
  std::optional<Pick> next();
  /// sent: the pick left, with the acknowledgement block `identifier`; the nodes hold both ways' packets for
  /// `held`.
  void sent(const Pick& pick, const sphinx::Identifier& identifier, Duration held, Instant now);
  /// postpone: nothing of this message can leave now; it is asked for again at `until`.
  void postpone(const MessageId& id, Instant until);
  /// acknowledge takes an acknowledgement for what `purpose` says; `proof` is what came in it. false if
  /// nobody waited for it, or it is for the last fragment and does not prove the delivery.
  bool acknowledge(const ReplyPurpose& purpose, ByteView proof, Instant now);
  /// give_up ends a message; false if it is not there.
  bool give_up(const MessageId& id, SendFailure failure);

  void on_deadline(Instant now);
  std::optional<Instant> next_deadline() const;
  std::optional<Event> poll_event();
  /// take_unanswered lists the acknowledgement blocks of what was not answered in time since the last call;
  /// those of messages given up are not in it.
  std::vector<sphinx::Identifier> take_unanswered() { return std::exchange(unanswered_, {}); }

  bool has(const MessageId& id) const { return entries_.contains(id); }
  std::size_t messages() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t retransmissions() const { return retransmissions_; }
  const SurplusTime& surplus() const { return surplus_; }

 private:
  struct Fragment {
    enum class State : std::uint8_t { fresh, under_way, again, acknowledged };
    State state = State::fresh;
    std::uint8_t transmissions = 0;
    Instant due{};  ///< under_way
    std::array<sphinx::Identifier, limits::transmissions_max> identifiers{};
  };
  struct Entry {
    Message message;
    std::vector<Fragment> fragments;
    std::deque<std::uint16_t> again;
    std::size_t fresh = 0;  ///< index of the first that was never sent
    std::size_t under_way = 0;
    std::size_t acknowledged = 0;
    std::size_t window = limits::window_start;
    bool active = false;
    bool postponed = false;
    bool has_turn = false;
  };
  /// Timer: of a fragment, or of the whole message with one of the two indexes above all fragments.
  struct Timer {
    Instant at;
    MessageId id;
    std::uint16_t index;
    auto operator<=>(const Timer&) const = default;
  };
  using Entries = std::map<MessageId, Entry>;
  /// Lane is the short or the long messages to one recipient.
  struct Lane {
    std::size_t bytes_under_way = 0;
    std::deque<MessageId> waiting;
  };
  using LaneKey = std::pair<crypto::Ed25519Public, bool>;  ///< recipient, short
  static LaneKey lane_of(const Message& message);
  void admit(const LaneKey& key);
  void leave_lane(const Entry& entry);

  static bool ready(const Entry& entry);
  void give_turn(Entry& entry);
  void time_out(Entries::iterator at, std::uint16_t index);
  void forget_blocks(const Fragment& fragment);
  void finish(Entries::iterator at, std::optional<SendFailure> failure);

  std::size_t fragment_bytes_;
  SurplusTime surplus_;
  ReplyBlocks* blocks_;
  Entries entries_;
  std::map<LaneKey, Lane> lanes_;
  std::deque<MessageId> turns_;
  std::set<Timer> timers_;
  std::deque<Event> events_;
  std::vector<sphinx::Identifier> unanswered_;  ///< up to transmissions_max times what is under way
  std::size_t bytes_ = 0;
  std::uint64_t retransmissions_ = 0;
};

}  // namespace village::mix
