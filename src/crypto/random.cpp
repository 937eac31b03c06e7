#include "village/crypto/random.hpp"

#include <openssl/rand.h>

#include <algorithm>

#include "village/base/check.hpp"

namespace village::crypto {

void SystemRandom::fill(ByteSpan out) {
  constexpr std::size_t piece_bytes_max = std::size_t{1} << 30;  // RAND_bytes takes an int
  while (!out.empty()) {
    const auto piece = out.first(std::min(out.size(), piece_bytes_max));
    VG_CHECK(RAND_bytes(octets(piece), static_cast<int>(piece.size())) == 1);
    out = out.subspan(piece.size());
  }
}

}  // namespace village::crypto
