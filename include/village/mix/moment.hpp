#pragma once
#include "village/base/time.hpp"

namespace village::mix {

/// Moment is one moment on both clocks. How long something is kept is counted on the monotonic one, so that a
/// wall clock that jumps does away with nothing and keeps nothing longer; the wall clock says dates, which
/// files and other nodes understand.
struct Moment {
  /// Both clocks run together: simulations. The daemon says both.
  Moment(WallTime both) : wall{both}, now{both.time_since_epoch()} {}
  Moment(WallTime date, Instant instant) : wall{date}, now{instant} {}
  WallTime wall;
  Instant now;
};

}  // namespace village::mix
