#pragma once
// Randomness as an argument. crypto::SystemRandom is the real source; SeededRandom repeats a run.
#include <cstdint>

#include "village/base/bytes.hpp"

namespace village {

/// RandomSource fills memory with random bytes. Implementations say whether they are fit for keys.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual void fill(ByteSpan out) = 0;

  /// u64 is uniform over all 64-bit values.
  std::uint64_t u64() {
    ByteArray<8> raw;
    fill(raw);
    std::uint64_t value = 0;
    for (const auto b : raw) value = value << 8 | std::to_integer<std::uint64_t>(b);
    return value;
  }
  /// below is uniform over [0, bound), without modulo bias. bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t threshold = (0 - bound) % bound;
    for (;;) {
      const auto value = u64();
      if (value >= threshold) return value % bound;
    }
  }
  /// unit is uniform over [0, 1) with 53 bits.
  double unit() { return static_cast<double>(u64() >> 11) * 0x1.0p-53; }
};

/// SeededRandom is xoshiro256** seeded by splitmix64: for tests and simulation, never for keys that matter.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed);
  void fill(ByteSpan out) override;
  std::uint64_t next();

 private:
  std::uint64_t state_[4];
};

}  // namespace village
