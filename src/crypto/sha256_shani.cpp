// SHA-256 compression of two lanes with the SHA instructions, interleaved: one round's result is needed by
// the next, and its latency is twice what the unit needs to start another.
#include "crypto/symmetric_kernels.hpp"

#if defined(__SHA__) && defined(__SSE4_1__)
#include <immintrin.h>

namespace village::crypto {
namespace {

using V = __m128i;

/// The instructions want the state as (a, b, e, f) and (c, d, g, h), highest word first.
struct Lane {
  V abef, cdgh, abef0, cdgh0, w[4];

  VG_INLINE V load(const std::uint32_t* words) { return _mm_loadu_si128(reinterpret_cast<const V*>(words)); }
  [[gnu::always_inline]] inline void begin(const std::uint32_t* state, const std::uint32_t* block) {
    const V dcba = _mm_shuffle_epi32(load(state), 0xb1);      // b a d c
    const V hgfe = _mm_shuffle_epi32(load(state + 4), 0x1b);  // h g f e reversed
    abef = abef0 = _mm_alignr_epi8(dcba, hgfe, 8);
    cdgh = cdgh0 = _mm_blend_epi16(hgfe, dcba, 0xf0);
    for (int i = 0; i < 4; ++i) w[i] = load(block + 4 * i);
  }
  /// four rounds with words 4q .. 4q + 3, and the words they will be replaced by.
  template <int q>
  [[gnu::always_inline]] inline void four_rounds() {
    V& now = w[q % 4];
    const V sum = _mm_add_epi32(now, load(sha256_round_constants + 4 * q));
    cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
    abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
    if constexpr (q < 12) {
      const V last = w[(q + 3) % 4];
      now = _mm_sha256msg2_epu32(
          _mm_add_epi32(_mm_sha256msg1_epu32(now, w[(q + 1) % 4]), _mm_alignr_epi8(last, w[(q + 2) % 4], 4)),
          last);
    }
  }
  [[gnu::always_inline]] inline void end(std::uint32_t* to) {
    abef = _mm_add_epi32(abef, abef0);
    cdgh = _mm_add_epi32(cdgh, cdgh0);
    const V feba = _mm_shuffle_epi32(abef, 0x1b);
    const V dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128(reinterpret_cast<V*>(to), _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(reinterpret_cast<V*>(to + 4), _mm_alignr_epi8(dchg, feba, 8));
  }
};

template <int q>
VG_INLINE void rounds(Lane& a, Lane& b) {
  a.four_rounds<q>();
  b.four_rounds<q>();
  if constexpr (q < 15) rounds<q + 1>(a, b);
}

}  // namespace

void sha256_compress_shani(const std::uint32_t* from, const std::uint32_t* block, std::uint32_t* to) {
  Lane a, b;
  a.begin(from, block);
  b.begin(from + 16, block + 16);
  rounds<0>(a, b);
  a.end(to);
  b.end(to + 16);
}

}  // namespace village::crypto
#else
namespace village::crypto {
void sha256_compress_shani(const std::uint32_t*, const std::uint32_t*, std::uint32_t*) { __builtin_trap(); }
}  // namespace village::crypto
#endif
