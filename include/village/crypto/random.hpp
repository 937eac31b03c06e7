#pragma once
// The operating system's random source.
#include "village/base/random.hpp"

namespace village::crypto {

/// SystemRandom is a CSPRNG fit for keys (OpenSSL's, seeded by the kernel). Any thread; aborts if the kernel
/// gives none.
class SystemRandom final : public RandomSource {
 public:
  void fill(ByteSpan out) override;
};

}  // namespace village::crypto
