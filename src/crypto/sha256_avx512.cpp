// SHA-256 compression of sixteen lanes, one 32-bit element each. Rotation and three-input logic are single
// instructions: 17 a round and 11 for the schedule.
#include "crypto/symmetric_kernels.hpp"

#if defined(__AVX512F__)
#include <immintrin.h>

namespace village::crypto {
namespace {

using V = __m512i;

struct Sixteen {
  VG_INLINE V plus(V a, V b) { return _mm512_add_epi32(a, b); }
  VG_INLINE V xor3(V a, V b, V c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
  template <int n>
  VG_INLINE V right(V a) {
    return _mm512_ror_epi32(a, n);
  }

  VG_INLINE void round(V a, V b, V c, V& d, V e, V f, V g, V& h, V word, std::uint32_t constant) {
    const V t = plus(plus(plus(h, plus(word, _mm512_set1_epi32(static_cast<int>(constant)))),
                          _mm512_ternarylogic_epi32(e, f, g, 0xca)),
                     xor3(right<6>(e), right<11>(e), right<25>(e)));
    d = plus(d, t);
    h = plus(plus(t, _mm512_ternarylogic_epi32(a, b, c, 0xe8)),
             xor3(right<2>(a), right<13>(a), right<22>(a)));
  }
  VG_INLINE void extend(V& w0, V w1, V w9, V w14) {
    const V s0 = xor3(right<7>(w1), right<18>(w1), _mm512_srli_epi32(w1, 3));
    const V s1 = xor3(right<17>(w14), right<19>(w14), _mm512_srli_epi32(w14, 10));
    w0 = plus(plus(w0, w9), plus(s0, s1));
  }
};

}  // namespace

void sha256_compress_avx512(const std::uint32_t* from, const std::uint32_t* block, std::uint32_t* to) {
  V w[16], s[8];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) w[i] = _mm512_loadu_si512(block + 16 * i);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) s[i] = _mm512_loadu_si512(from + 16 * i);
#pragma GCC unroll 64
  for (int r = 0; r < 64; ++r) {
    if (r >= 16) Sixteen::extend(w[r % 16], w[(r + 1) % 16], w[(r + 9) % 16], w[(r + 14) % 16]);
    const auto at = [r](int i) { return (i - r % 8 + 8) % 8; };
    Sixteen::round(s[at(0)], s[at(1)], s[at(2)], s[at(3)], s[at(4)], s[at(5)], s[at(6)], s[at(7)], w[r % 16],
                   sha256_round_constants[r]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    _mm512_storeu_si512(to + 16 * i, _mm512_add_epi32(s[i], _mm512_loadu_si512(from + 16 * i)));
}

}  // namespace village::crypto
#else
namespace village::crypto {
void sha256_compress_avx512(const std::uint32_t*, const std::uint32_t*, std::uint32_t*) { __builtin_trap(); }
}  // namespace village::crypto
#endif
