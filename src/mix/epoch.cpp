#include "village/mix/epoch.hpp"

#include <algorithm>

namespace village::mix {
namespace {

constexpr std::byte odd{1}, even{2};

}  // namespace

Epoch Epochs::at(WallTime now) const {
  const auto since = std::max(now.time_since_epoch(), Duration{0});
  return static_cast<Epoch>(since / length);
}

WallTime Epochs::start(Epoch epoch) const { return WallTime{length * static_cast<Duration::rep>(epoch)}; }

std::byte Epochs::rotation(Epoch epoch) { return epoch % 2 == 1 ? odd : even; }

Duration Epochs::early_time() const { return std::min<Duration>(std::chrono::seconds{60}, length / 10); }

std::optional<Epoch> Epochs::epoch_of(std::byte rotation, WallTime now) const {
  if (rotation != odd && rotation != even) return std::nullopt;
  const auto current = at(now);
  if (rotation == Epochs::rotation(current)) return current;
  if (current > 0 && now < start(current) + overlap) return current - 1;
  if (now >= end(current) - early_time()) return current + 1;
  return std::nullopt;
}

}  // namespace village::mix
