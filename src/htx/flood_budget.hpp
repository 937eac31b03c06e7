#pragma once
// FloodBudget: how much a peer may make us do for nothing. Frames that carry nothing of the application
// (PING, WINDOW_UPDATE, PADDING, empty STREAM, frames for streams that are gone, unknown types) each cost a
// token; tokens come back with time and with every frame that carries something, either way, because credit
// answers data. Resets of fresh streams have a budget of their own.
#include <algorithm>

#include "village/base/time.hpp"

namespace village::htx {

class FloodBudget {
 public:
  FloodBudget(std::uint32_t capacity, std::uint32_t per_second, Instant now)
      : tokens_{capacity}, capacity_{capacity}, per_second_{per_second}, refilled_{now} {}

  /// earn gives `count` tokens back.
  void earn(std::uint64_t count) {
    tokens_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(capacity_, tokens_ + count));
  }
  /// spend takes one. false: none is left. Looks at the time only then.
  [[nodiscard]] bool spend(Instant now) {
    if (!has(now)) return false;
    --tokens_;
    return true;
  }
  /// has tells whether one is left.
  [[nodiscard]] bool has(Instant now) {
    if (tokens_ == 0) refill(now);
    return tokens_ > 0;
  }

 private:
  void refill(Instant now) {
    const auto step = Duration{std::chrono::seconds{1}} / per_second_;
    const auto count = std::max<std::int64_t>(0, (now - refilled_) / step);
    refilled_ = count > capacity_ ? now : refilled_ + count * step;
    earn(static_cast<std::uint64_t>(count));
  }
  std::uint32_t tokens_, capacity_, per_second_;
  Instant refilled_;
};

}  // namespace village::htx
