#include "village/mix/rate_limit.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/mix/limits.hpp"

namespace village::mix {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

}  // namespace

TokenBucket::TokenBucket(std::uint64_t per_second, std::uint64_t burst) {
  if (per_second == 0) return;
  interval_ = Duration{static_cast<Duration::rep>(std::max<std::uint64_t>(second_ns / per_second, 1))};
  const auto depth = std::clamp<std::uint64_t>(burst, 1, second_ns) - 1;
  depth_ = interval_ * static_cast<Duration::rep>(depth);
}

bool TokenBucket::has_token(Instant now) const {
  return full_at_ <= now + depth_ || interval_ == Duration{0};
}

bool TokenBucket::take(Instant now) {
  if (!has_token(now)) return false;
  full_at_ = std::max(full_at_, now) + interval_;
  return true;
}

Admission::Admission(const RateRules& rules, std::size_t neighbours, std::size_t frame_bytes)
    : rules_{rules}, node_{rules.node_pps, rules.node_burst} {
  VG_CHECK(neighbours <= limits::neighbours_max);
  neighbours_.resize(neighbours, TokenBucket{rules.neighbour_pps, rules.neighbour_burst});
  if (rules.bytes_per_s > 0) {
    const auto frames = std::max<std::uint64_t>(rules.bytes_per_s / frame_bytes, 1);
    bandwidth_ = TokenBucket{frames, std::max<std::uint64_t>(frames / 10, 64)};  // a tenth of a second
  }
}

bool Admission::admit(NeighbourIndex neighbour, Instant now) {
  if (neighbour >= neighbours_.size()) return false;
  auto& own = neighbours_[neighbour];
  if (!own.has_token(now) || !bandwidth_.has_token(now) || !node_.take(now)) return false;
  return own.take(now) && bandwidth_.take(now);
}

void Admission::reset(NeighbourIndex neighbour, std::uint64_t pps) {
  VG_CHECK(neighbour < neighbours_.size());
  neighbours_[neighbour] = TokenBucket{pps == 0 ? rules_.neighbour_pps : pps, rules_.neighbour_burst};
}

}  // namespace village::mix
