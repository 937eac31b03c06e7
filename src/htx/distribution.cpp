#include "village/htx/distribution.hpp"

#include <algorithm>
#include <cmath>

#include "village/base/check.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

std::uint64_t width(const Bucket& bucket) { return bucket.high - bucket.low + 1; }

}  // namespace

Result<Distribution> Distribution::make(std::vector<Bucket> buckets) {
  if (buckets.size() > limits::shape_buckets_max) return fail(Errc::limit_exceeded, buckets.size());
  Distribution made;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const auto& bucket = buckets[i];
    const bool ordered = i == 0 || bucket.low > buckets[i - 1].high;
    const bool sound = bucket.low <= bucket.high && bucket.high <= limits::shape_value_max &&
                       bucket.weight > 0 && bucket.weight <= limits::shape_weight_max;
    if (!ordered || !sound) return fail(Errc::bad_argument, i);
    sum += bucket.weight;
    made.sums_.push_back(sum);
  }
  made.buckets_ = std::move(buckets);
  return made;
}

// A run of equal values that weighs at least one bucket stands alone; what lies between such runs is cut into
// buckets of about equal mass, never through a run.
Distribution Distribution::of_samples(std::vector<std::uint64_t>& values, std::size_t buckets_max) {
  if (values.empty()) return {};
  buckets_max = std::clamp<std::size_t>(buckets_max, 1, limits::shape_buckets_max);
  std::sort(values.begin(), values.end());
  const std::size_t share = (values.size() + buckets_max - 1) / buckets_max;
  // A bucket alone can push the open one out half full: twice the share keeps the number of buckets down.
  const std::size_t full = values.size() <= buckets_max ? 1 : 2 * share;
  std::vector<Bucket> buckets;
  for (std::size_t begin = 0, end = 0; begin < values.size(); begin = end) {
    const auto run_end = [&](std::size_t from) {
      return static_cast<std::size_t>(
          std::upper_bound(values.begin() + static_cast<std::ptrdiff_t>(from), values.end(), values[from]) -
          values.begin());
    };
    end = run_end(begin);
    while (end < values.size() && end - begin < full) {
      const auto next = run_end(end);
      if (next - begin > full) break;
      end = next;
    }
    buckets.push_back({values[begin], values[end - 1], static_cast<std::uint32_t>(end - begin)});
  }
  while (buckets.size() > buckets_max) {  // join the lightest neighbours
    std::size_t lightest = 0;
    const auto pair = [&buckets](std::size_t i) {
      return std::uint64_t{buckets[i].weight} + buckets[i + 1].weight;
    };
    for (std::size_t i = 1; i + 1 < buckets.size(); ++i) {
      if (pair(i) < pair(lightest)) lightest = i;
    }
    buckets[lightest].high = buckets[lightest + 1].high;
    buckets[lightest].weight += buckets[lightest + 1].weight;
    buckets.erase(buckets.begin() + static_cast<std::ptrdiff_t>(lightest) + 1);
  }
  const auto made = make(std::move(buckets));
  VG_CHECK(made);
  return *made;
}

std::uint64_t Distribution::draw(std::uint64_t place, RandomSource& random) const {
  const auto found = std::upper_bound(sums_.begin(), sums_.end(), place);
  const auto& bucket = buckets_[static_cast<std::size_t>(found - sums_.begin())];
  return bucket.low == bucket.high ? bucket.low : bucket.low + random.below(width(bucket));
}

std::uint64_t Distribution::sample(RandomSource& random) const {
  VG_CHECK(!empty());
  if (buckets_.size() == 1) return draw(0, random);
  return draw(random.below(total()), random);
}

std::optional<std::uint64_t> Distribution::sample_at_least(std::uint64_t least, RandomSource& random) const {
  const auto first = std::partition_point(buckets_.begin(), buckets_.end(),
                                          [least](const Bucket& bucket) { return bucket.high < least; });
  if (first == buckets_.end()) return std::nullopt;
  const auto index = static_cast<std::size_t>(first - buckets_.begin());
  const auto before = index == 0 ? 0 : sums_[index - 1];
  if (first->low >= least) return draw(before + random.below(total() - before), random);
  // The first bucket is cut: of its values only those at `least` and above count. Draw from the whole bucket
  // and the rest, and draw again when the value lies below: that keeps every share exact. A thin rest would
  // take many draws, so the chance is bounded and the cut bucket taken as uniform behind it.
  constexpr int tries = 64;
  for (int i = 0; i < tries; ++i) {
    const auto value = draw(before + random.below(total() - before), random);
    if (value >= least) return value;
  }
  return least + random.below(first->high - least + 1);
}

double Distribution::cdf(std::uint64_t value) const {
  if (empty()) return 1;
  const auto first = std::partition_point(buckets_.begin(), buckets_.end(),
                                          [value](const Bucket& bucket) { return bucket.high <= value; });
  const auto index = static_cast<std::size_t>(first - buckets_.begin());
  double weight = index == 0 ? 0 : static_cast<double>(sums_[index - 1]);
  if (first != buckets_.end() && first->low <= value) {
    weight +=
        first->weight * static_cast<double>(value - first->low + 1) / static_cast<double>(width(*first));
  }
  return weight / static_cast<double>(total());
}

std::uint64_t Distribution::quantile(double share) const {
  VG_CHECK(!empty());
  const double wanted = std::clamp(share, 0.0, 1.0) * static_cast<double>(total());
  double before = 0;
  for (const auto& bucket : buckets_) {
    if (before + bucket.weight >= wanted) {
      const double part = std::max(0.0, wanted - before) / bucket.weight * static_cast<double>(width(bucket));
      const auto steps = static_cast<std::uint64_t>(std::ceil(part));
      return bucket.low + std::min(steps == 0 ? 0 : steps - 1, width(bucket) - 1);
    }
    before += bucket.weight;
  }
  return highest();
}

double Distribution::mean() const {
  double sum = 0;
  for (const auto& bucket : buckets_) {
    sum += bucket.weight * (static_cast<double>(bucket.low) + static_cast<double>(bucket.high)) / 2;
  }
  return empty() ? 0 : sum / static_cast<double>(total());
}

Distribution Distribution::divided(std::uint64_t divisor) const {
  std::vector<Bucket> buckets;
  for (const auto& bucket : buckets_) {
    const auto scaled = [divisor](std::uint64_t value) {
      return value == 0 ? 0 : std::max<std::uint64_t>(1, value / divisor);
    };
    Bucket next{scaled(bucket.low), scaled(bucket.high), bucket.weight};
    if (!buckets.empty() && next.low <= buckets.back().high) {
      next.low = buckets.back().high + 1;
      if (next.high < next.low) {  // too fine to tell apart
        buckets.back().weight += std::min(next.weight, limits::shape_weight_max - buckets.back().weight);
        continue;
      }
    }
    buckets.push_back(next);
  }
  const auto made = make(std::move(buckets));
  VG_CHECK(made);
  return *made;
}

}  // namespace village::htx
