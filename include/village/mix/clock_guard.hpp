#pragma once
// What to believe of a wall clock that jumps.
#include <cstdint>
#include <optional>

#include "village/base/time.hpp"

namespace village::mix {

/// ClockGuard compares the wall clock with the monotonic one from call to call. A wall clock that jumps ahead
/// is believed for doing away with things only after it has stayed there for a while; one that jumps back is
/// believed at once (that does away with nothing).
class ClockGuard {
 public:
  /// jump_min is what counts as a jump: more than slewing does between two calls.
  explicit ClockGuard(Duration patience, Duration jump_min = std::chrono::seconds{10})
      : patience_{patience}, jump_min_{jump_min} {}

  /// settled is the wall time by which things may be done away with: `wall`, or after a jump ahead what it
  /// would be without it, until `patience` is over.
  WallTime settled(Instant now, WallTime wall);
  std::uint64_t jumps() const { return jumps_; }  ///< seen, in either direction

 private:
  Duration patience_, jump_min_;
  struct Seen {
    Instant now;
    WallTime wall;
  };
  std::optional<Seen> last_;
  Duration doubted_{0};  ///< how far the clock is ahead of what is believed
  Instant doubted_since_{};
  std::uint64_t jumps_ = 0;
};

}  // namespace village::mix
