#pragma once
// LoopMonitor: loss, and the sign of an (n-1) attack, from a node's or client's own loop packets.
//
// Who isolates one packet in a mix must hold back or replace all others of it, cover included. Loops of the
// honest mixes and clients then do not come back (Loopix, section 4.2.1). So the share of loops that are
// missing is loss while it is small, and an alarm when it is not.
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "village/base/time.hpp"
#include "village/mix/plain_payload.hpp"

namespace village::mix {

/// LoopMonitor keeps the loops under way (loops_max) and the verdicts of a window. One thread.
class LoopMonitor {
 public:
  struct Options {
    Duration window = std::chrono::minutes{5};
    double missing_share_max = 0.2;  ///< above: alarm
    std::size_t verdicts_min = 20;   ///< fewer say nothing
  };
  LoopMonitor() = default;
  explicit LoopMonitor(const Options& options) : options_{options} {}

  /// sent notes a loop that should be back before `late`. What does not fit is not counted.
  void sent(const MessageId& id, Instant late);
  /// returned notes that one came back; false if it was not awaited: unknown, late, or a copy.
  bool returned(const MessageId& id, Instant now);
  /// on_deadline gives up on late ones and forgets verdicts older than the window.
  void on_deadline(Instant now);
  std::optional<Instant> next_deadline() const;

  /// missing_share is missing / judged within the window; 0 before verdicts_min.
  double missing_share() const;
  bool alarm() const { return missing_share() > options_.missing_share_max; }
  std::size_t under_way() const { return waiting_.size(); }
  std::uint64_t sent_total() const { return sent_total_; }
  std::uint64_t returned_total() const { return returned_total_; }
  std::uint64_t missing_total() const { return missing_total_; }

 private:
  struct Verdict {
    Instant at;
    bool missing;
  };
  void judge(Instant at, bool missing);
  void forget_old(Instant now);

  Options options_;
  std::map<MessageId, Instant> waiting_;
  std::multimap<Instant, MessageId> late_;
  std::deque<Verdict> verdicts_;  ///< bounded by what can be sent in a window and verdicts_kept_max
  std::size_t missing_ = 0;       ///< among the verdicts
  std::uint64_t sent_total_ = 0, returned_total_ = 0, missing_total_ = 0;
};

}  // namespace village::mix
