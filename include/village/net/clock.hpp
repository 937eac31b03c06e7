#pragma once
// SystemClock: CLOCK_MONOTONIC and CLOCK_REALTIME.
#include "village/base/time.hpp"

namespace village::net {

/// SystemClock is the real time, about 25 ns a reading. Any thread.
class SystemClock final : public Clock {
 public:
  Instant now() const override;
  WallTime wall() const override;
};

}  // namespace village::net
