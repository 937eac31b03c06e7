#pragma once
// Tests of statistics: how likely it is that observed values come from a distribution.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

namespace village::test {

/// kolmogorov_p is the chance of a Kolmogorov-Smirnov distance of at least `distance` with `count` values
/// (Stephens' correction for small counts). Too large, never too small, where the distribution has steps.
inline double kolmogorov_p(double distance, double count) {
  const double root = std::sqrt(count);
  const double x = (root + 0.12 + 0.11 / root) * distance;
  if (x < 0.2) return 1;  // the series does not converge there
  double sum = 0;
  for (int k = 1; k <= 100; ++k) sum += (k % 2 == 1 ? 2 : -2) * std::exp(-2.0 * k * k * x * x);
  return std::clamp(sum, 0.0, 1.0);
}

/// ks_p tests values against a cumulative distribution over whole numbers.
inline double ks_p(std::vector<std::uint64_t> values, const std::function<double(std::uint64_t)>& cdf) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t begin = 0, end = 0; begin < values.size(); begin = end) {
    while (end < values.size() && values[end] == values[begin]) ++end;
    const auto value = values[begin];
    distance = std::max(distance, std::abs(static_cast<double>(end) / count - cdf(value)));
    if (value > 0)
      distance = std::max(distance, std::abs(static_cast<double>(begin) / count - cdf(value - 1)));
  }
  return kolmogorov_p(distance, count);
}

/// chi_square_p tests counts against expected counts (each at least 5), by Wilson and Hilferty's normal form.
inline double chi_square_p(const std::vector<double>& seen, const std::vector<double>& expected) {
  double sum = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    sum += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
  }
  const auto freedom = static_cast<double>(seen.size()) - 1;
  const double z = (std::cbrt(sum / freedom) - (1 - 2 / (9 * freedom))) / std::sqrt(2 / (9 * freedom));
  return std::erfc(z / std::sqrt(2.0)) / 2;
}

}  // namespace village::test
