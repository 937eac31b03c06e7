#pragma once
// DecoyPace: when an answer of the web server behind us leaves.
//
// What it adds to an answer's way to go through us should be the same each time: then an answer comes later,
// but tells nothing by how its time is spread. Nearly all answers are held until as long after their question
// as 9 of 10 have been there lately; the rest leave as they come. That time must itself hardly move, so it is
// taken from many answers, and not from those far out. No clock inside.
#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>

#include "village/base/time.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {

class DecoyPace {
 public:
  /// after is how long after its question an answer leaves, given that it was there after `took`. Not below
  /// `took`, and not above limits::decoy_vigil_max unless `took` is.
  Duration after(Duration took) {
    lately_[seen_ % lately_.size()] = took;
    ++seen_;
    if (seen_ <= every || seen_ % every == 0) usual_ = std::min(slow(), limits::decoy_vigil_max);
    return std::max(took, usual_);
  }

 private:
  static constexpr std::size_t every = 32;  ///< answers, then the usual time is computed anew

  /// slow is what one in ten has exceeded.
  Duration slow() const {
    auto sorted = lately_;
    const auto known = std::min(seen_, sorted.size());
    const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(known / 10);
    std::nth_element(sorted.begin(), place, sorted.begin() + static_cast<std::ptrdiff_t>(known),
                     std::greater<>{});
    return *place;
  }

  std::array<Duration, 512> lately_{};
  std::size_t seen_ = 0;
  Duration usual_{0};
};

}  // namespace village::service
