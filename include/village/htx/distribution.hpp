#pragma once
// Distribution: how often which value comes, as a table of buckets. What a traffic shape is made of.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "village/base/error.hpp"
#include "village/base/random.hpp"

namespace village::htx {

/// Bucket is a range of whole numbers, both ends included, each as likely as the other; low == high is one
/// value. `weight` is the bucket's share of all weights.
struct Bucket {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::uint32_t weight = 1;
  friend bool operator==(const Bucket&, const Bucket&) = default;
};

/// Distribution is immutable once made. Without buckets it is empty: the thing is not shaped, nothing may be
/// drawn.
class Distribution {
 public:
  Distribution() = default;
  /// make takes buckets in ascending order without overlap. Errors: limit_exceeded (more than
  /// limits::shape_buckets_max), bad_argument (order, weight 0 or above limits::shape_weight_max, high <
  /// low).
  static Result<Distribution> make(std::vector<Bucket> buckets);
  /// of_samples sums observed values up in at most `buckets_max` buckets of about equal mass; a value that
  /// comes often keeps a bucket of its own. Values are sorted in place. Empty for no values.
  static Distribution of_samples(std::vector<std::uint64_t>& values, std::size_t buckets_max);

  bool empty() const { return buckets_.empty(); }
  const std::vector<Bucket>& buckets() const { return buckets_; }
  std::uint64_t lowest() const { return buckets_.front().low; }
  std::uint64_t highest() const { return buckets_.back().high; }

  /// sample draws one value, without bias. O(log buckets). Not for an empty one.
  std::uint64_t sample(RandomSource& random) const;
  /// sample_at_least draws among the values that are not below `least`, as often as they come among
  /// themselves; nothing if there are none.
  std::optional<std::uint64_t> sample_at_least(std::uint64_t least, RandomSource& random) const;
  /// cdf is the probability of a value that is at most `value`.
  double cdf(std::uint64_t value) const;
  /// quantile is the smallest value with cdf(value) >= share, 0 < share <= 1.
  std::uint64_t quantile(double share) const;
  double mean() const;
  /// divided gives the distribution of values / divisor, none below 1 unless it was 0. divisor > 0.
  Distribution divided(std::uint64_t divisor) const;

  friend bool operator==(const Distribution& a, const Distribution& b) { return a.buckets_ == b.buckets_; }

 private:
  std::uint64_t draw(std::uint64_t place, RandomSource& random) const;
  std::uint64_t total() const { return sums_.empty() ? 0 : sums_.back(); }

  std::vector<Bucket> buckets_;
  std::vector<std::uint64_t> sums_;  ///< sums_[i] = weights of buckets 0..i
};

}  // namespace village::htx
