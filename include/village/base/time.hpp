#pragma once
// Time as a value. Layers 0-4 never ask for it: it comes in as an argument.
#include <chrono>
#include <cstdint>

namespace village {

using namespace std::chrono_literals;
using Duration = std::chrono::nanoseconds;

/// MonotonicTime is the time line of deadlines and round trips; it never jumps and means nothing across
/// restarts.
struct MonotonicTime {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicTime, duration>;
  static constexpr bool is_steady = true;
};
/// UnixTime is wall-clock time since 1970. It may jump: only for expiry dates and logs, never for nonces.
struct UnixTime {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<UnixTime, duration>;
  static constexpr bool is_steady = false;
};

using Instant = MonotonicTime::time_point;
using WallTime = UnixTime::time_point;

/// Clock is where adapters (layer 5 and up) get time from; tests inject ManualClock.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
};

/// ManualClock stands still until told otherwise. Single thread.
class ManualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void advance(Duration by) {
    now_ += by;
    wall_ += by;
  }
  void set_wall(WallTime wall) { wall_ = wall; }

 private:
  Instant now_{std::chrono::hours{1}};
  WallTime wall_{std::chrono::hours{24 * 365 * 55}};
};

}  // namespace village
