#include "village/mix/cover_stream.hpp"

#include <algorithm>
#include <cmath>

namespace village::mix {

CoverStream::CoverStream(Duration mean, RandomSource& random, Instant now) : mean_{mean}, random_{&random} {
  restart(now);
}

Duration CoverStream::draw(Duration mean, RandomSource& random) {
  return Duration{
      static_cast<Duration::rep>(-static_cast<double>(mean.count()) * std::log1p(-random.unit()))};
}

void CoverStream::set_mean(Duration mean, Instant now) {
  if (mean == mean_) return;
  mean_ = mean;
  restart(now);
}

void CoverStream::restart(Instant now) { next_ = enabled() ? now + draw(mean_, *random_) : now; }

bool CoverStream::take(Instant now) {
  if (!enabled() || now < next_) return false;
  const auto oldest = now - mean_ * static_cast<Duration::rep>(limits::burst_max);
  next_ = std::max(next_, oldest) + draw(mean_, *random_);
  return true;
}

std::optional<Instant> CoverStream::next_deadline() const {
  if (!enabled()) return std::nullopt;
  return next_;
}

}  // namespace village::mix
