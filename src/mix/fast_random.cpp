#include "village/mix/fast_random.hpp"

#include <algorithm>

#include "village/crypto/key_stream.hpp"

namespace village::mix {

void FastRandom::refill() {
  block_.wipe();
  crypto::chacha20_xor(key_.view(), block_.fill());
  std::copy_n(block_.view().begin(), key_.size, key_.fill().begin());
  crypto::wipe(block_.fill().first(key_.size));
  left_ = block_.size - key_.size;
}

void FastRandom::fill(ByteSpan out) {
  while (!out.empty()) {
    if (left_ == 0) refill();
    const auto part = block_.fill().last(left_).first(std::min(left_, out.size()));
    std::ranges::copy(part, out.begin());
    std::ranges::fill(part, std::byte{0});
    left_ -= part.size();
    out = out.subspan(part.size());
  }
}

}  // namespace village::mix
