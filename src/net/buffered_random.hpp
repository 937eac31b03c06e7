#pragma once
// BufferedRandom: the system's CSPRNG taken 512 bytes at a time; a small request then costs a copy. One core.
#include <algorithm>

#include "village/crypto/random.hpp"
#include "village/crypto/secret.hpp"

namespace village::net {

class BufferedRandom final : public RandomSource {
 public:
  void fill(ByteSpan out) override {
    if (out.size() > size / 4) return source_.fill(out);
    if (size - used_ < out.size()) {
      source_.fill(reserve_.fill());
      used_ = 0;
    }
    // What was handed out may become a key: it does not stay here.
    const auto taken = reserve_.fill().subspan(used_, out.size());
    std::copy(taken.begin(), taken.end(), out.begin());
    crypto::wipe(taken);
    used_ += out.size();
  }

 private:
  static constexpr std::size_t size = 512;
  crypto::SystemRandom source_;
  crypto::Secret<size> reserve_;
  std::size_t used_ = size;
};

}  // namespace village::net
