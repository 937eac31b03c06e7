#include "village/mix/clock_guard.hpp"

#include <algorithm>

namespace village::mix {

WallTime ClockGuard::settled(Instant now, WallTime wall) {
  if (last_) {
    const auto jump = (wall - last_->wall) - (now - last_->now);
    if (jump > jump_min_ || jump < -jump_min_) {
      ++jumps_;
      doubted_ = std::max(Duration{0}, doubted_ + jump);
      if (jump > Duration{0}) doubted_since_ = now;
    }
  }
  last_ = Seen{now, wall};
  if (doubted_ > Duration{0} && now - doubted_since_ >= patience_) doubted_ = Duration{0};
  return wall - doubted_;
}

}  // namespace village::mix
