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

Admission::Admission(const RateRules& rules, std::size_t neighbours)
    : rules_{rules}, node_{rules.node_pps, rules.node_burst} {
  VG_CHECK(neighbours <= limits::neighbours_max);
  neighbours_.resize(neighbours, TokenBucket{rules.neighbour_pps, rules.neighbour_burst});
}

bool Admission::admit(NeighbourIndex neighbour, Instant now) {
  if (neighbour >= neighbours_.size()) return false;
  auto& own = neighbours_[neighbour];
  return own.has_token(now) && node_.take(now) && own.take(now);
}

void Admission::reset(NeighbourIndex neighbour, std::uint64_t pps) {
  VG_CHECK(neighbour < neighbours_.size());
  neighbours_[neighbour] = TokenBucket{pps == 0 ? rules_.neighbour_pps : pps, rules_.neighbour_burst};
}

}  // namespace village::mix
