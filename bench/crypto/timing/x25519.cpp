// Does the time of a batch tell something about its scalars? After dudect (Reparaz, Balasch, Verbauwhede,
// 2017): one full vector a call, either all scalars zero (after clamping: one bit set) or all random, in
// random order; Welch's t between the two classes, for all calls and for those below several percentiles,
// since interrupts only add. |t| of 10 and more is strong evidence of a leak.
//
//   timing_x25519 [calls, default 1000000]
//   timing_x25519 100000 leak              must end with 1: the method sees what it is to see
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "village/base/random.hpp"
#include "village/crypto/x25519_batch.hpp"

using namespace village;
using namespace village::crypto;

namespace {

std::uint64_t ticks() {
#if defined(__x86_64__)
  unsigned aux = 0;
  return __builtin_ia32_rdtscp(&aux);
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// Sums is one class: count, mean and variance as they come (Welford).
struct Sums {
  double count = 0, mean = 0, squares = 0;
  void add(double x) {
    ++count;
    const double delta = x - mean;
    mean += delta / count;
    squares += delta * (x - mean);
  }
};

/// Comparison counts only calls faster than its limit.
struct Comparison {
  double limit;
  Sums classes[2];
  double t() const {
    const auto& [a, b] = classes;
    if (a.count < 100 || b.count < 100) return 0;
    const double spread = a.squares / (a.count - 1) / a.count + b.squares / (b.count - 1) / b.count;
    return spread > 0 ? (a.mean - b.mean) / std::sqrt(spread) : 0;
  }
};

struct Batch {
  ByteArray<32 * 8> scalars{}, points{};
  std::size_t chosen = 0;
};

void prepare(std::vector<Batch>& batches, RandomSource& random) {
  for (auto& batch : batches) {
    batch.chosen = random.below(2);
    random.fill(batch.scalars);
    random.fill(batch.points);
    if (batch.chosen == 0) batch.scalars = {};
  }
}

/// largest_t of all comparisons. With `leak` one class takes some ten nanoseconds longer on purpose.
double largest_t(CpuLevel level, std::uint64_t calls, bool leak) {
  const std::size_t lanes = level == CpuLevel::ifma ? 8 : level == CpuLevel::avx2 ? 4 : 1;
  SeededRandom random{2017};
  std::vector<Batch> batches(500);
  std::vector<Comparison> comparisons;
  std::vector<double> first;
  ByteArray<32 * 8> out;
  for (std::uint64_t done = 0; done < calls + 5000; done += batches.size()) {
    prepare(batches, random);
    for (const auto& batch : batches) {
      const auto begin = ticks();
      x25519_batch(level, {batch.scalars, 32, 32, lanes}, {batch.points, 32, 32, lanes},
                   {out, 32, 32, lanes});
      if (leak && batch.chosen == 0) {
        for (int i = 0; i < 100; ++i) asm volatile("" : : : "memory");
      }
      const auto took = static_cast<double>(ticks() - begin);
      if (done < 5000) first.push_back(took);  // only to learn the percentiles
      for (auto& comparison : comparisons) {
        if (took < comparison.limit) comparison.classes[batch.chosen].add(took);
      }
    }
    if (comparisons.empty() && first.size() >= 5000) {
      std::sort(first.begin(), first.end());
      for (const std::size_t percent : {10U, 30U, 50U, 70U, 80U, 90U, 95U, 99U})
        comparisons.push_back({first[first.size() * percent / 100], {}});
      comparisons.push_back({1e300, {}});
    }
  }
  double largest = 0;
  for (const auto& comparison : comparisons) largest = std::max(largest, std::abs(comparison.t()));
  return largest;
}

}  // namespace

int main(int count, char** arguments) {
  const std::uint64_t calls = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1'000'000;
  const bool leak = count > 2 && std::string_view{arguments[2]} == "leak";
  bool silent = true;
  for (const auto level : available_cpu_levels()) {
    const double t = largest_t(level, calls, leak);
    std::printf("%.*s: largest |t| of %llu calls %.2f (below 10 wanted)\n",
                static_cast<int>(name(level).size()), name(level).data(),
                static_cast<unsigned long long>(calls), t);
    silent = silent && t < 10;
  }
  return silent ? 0 : 1;
}
