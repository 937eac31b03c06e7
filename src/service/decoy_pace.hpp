#pragma once
// DecoyPace: when an answer of the web server behind us leaves.
//
// What it adds to an answer's way to go through us should be the same each time: then an answer comes later,
// but tells nothing by how its time is spread. Nearly all answers are held until as long after their question
// as 19 of 20 have been there lately; the rest leave as they come. No clock inside.
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
    lately_[next_] = took;
    next_ = (next_ + 1) % lately_.size();
    known_ = std::min(known_ + 1, lately_.size());
    auto sorted = lately_;
    const auto slow = known_ / 20;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(slow),
                     sorted.begin() + static_cast<std::ptrdiff_t>(known_), std::greater<>{});
    return std::max(took, std::min(sorted[slow], limits::decoy_vigil_max));
  }

 private:
  std::array<Duration, 128> lately_{};
  std::size_t next_ = 0;
  std::size_t known_ = 0;
};

}  // namespace village::service
