#pragma once
// LatencyHistogram: percentiles within 1.6 % of any count of samples, in fixed memory. One thread.
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace village {

/// LatencyHistogram sorts values into log-linear buckets (64 to each power of two), 30 KiB in all.
class LatencyHistogram {
 public:
  void record(std::uint64_t value) {
    ++counts_[index(value)];
    ++count_;
    if (value > max_) max_ = value;
    sum_ += value;
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_); }
  /// percentile is the smallest bucket bound that at least `percent` of the samples do not exceed; 0 if
  /// empty.
  std::uint64_t percentile(double percent) const {
    if (count_ == 0) return 0;
    auto rank = static_cast<std::uint64_t>(percent / 100.0 * static_cast<double>(count_));
    if (rank >= count_) rank = count_ - 1;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return bound(i) < max_ ? bound(i) : max_;
    }
    return max_;
  }

 private:
  static constexpr unsigned sub_bits = 6;
  static constexpr std::size_t sub_count = std::size_t{1} << sub_bits;
  static std::size_t index(std::uint64_t value) {
    if (value < sub_count) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - sub_bits - 1;
    return (std::size_t{shift} + 1) * sub_count + static_cast<std::size_t>((value >> shift) - sub_count);
  }
  static std::uint64_t bound(std::size_t i) {
    if (i < sub_count) return i;
    const auto shift = i / sub_count - 1;
    return ((i % sub_count + sub_count + 1) << shift) - 1;
  }
  std::array<std::uint64_t, (64 - sub_bits + 1) * sub_count> counts_{};
  std::uint64_t count_ = 0, max_ = 0, sum_ = 0;
};

}  // namespace village
