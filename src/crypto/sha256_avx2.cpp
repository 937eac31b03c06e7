// SHA-256 compression of eight lanes with AVX2, for CPUs without SHA instructions.
#include "crypto/symmetric_kernels.hpp"

#if defined(__AVX2__)
#include <immintrin.h>

namespace village::crypto {
namespace {

using V = __m256i;

struct Eight {
  VG_INLINE V plus(V a, V b) { return _mm256_add_epi32(a, b); }
  VG_INLINE V exor(V a, V b) { return _mm256_xor_si256(a, b); }
  template <int n>
  VG_INLINE V right(V a) {
    return _mm256_or_si256(_mm256_srli_epi32(a, n), _mm256_slli_epi32(a, 32 - n));
  }
  VG_INLINE void round(V a, V b, V c, V& d, V e, V f, V g, V& h, V word, std::uint32_t constant) {
    const V choice = exor(g, _mm256_and_si256(e, exor(f, g)));
    const V majority = exor(b, _mm256_and_si256(exor(a, b), exor(b, c)));
    const V t = plus(plus(plus(h, plus(word, _mm256_set1_epi32(static_cast<int>(constant)))), choice),
                     exor(exor(right<6>(e), right<11>(e)), right<25>(e)));
    d = plus(d, t);
    h = plus(plus(t, majority), exor(exor(right<2>(a), right<13>(a)), right<22>(a)));
  }
  VG_INLINE void extend(V& w0, V w1, V w9, V w14) {
    const V s0 = exor(exor(right<7>(w1), right<18>(w1)), _mm256_srli_epi32(w1, 3));
    const V s1 = exor(exor(right<17>(w14), right<19>(w14)), _mm256_srli_epi32(w14, 10));
    w0 = plus(plus(w0, w9), plus(s0, s1));
  }
};

VG_INLINE V load(const std::uint32_t* words) { return _mm256_loadu_si256(reinterpret_cast<const V*>(words)); }

}  // namespace

void sha256_compress_avx2(const std::uint32_t* from, const std::uint32_t* block, std::uint32_t* to) {
  V w[16], s[8];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) w[i] = load(block + 8 * i);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) s[i] = load(from + 8 * i);
#pragma GCC unroll 64
  for (int r = 0; r < 64; ++r) {
    if (r >= 16) Eight::extend(w[r % 16], w[(r + 1) % 16], w[(r + 9) % 16], w[(r + 14) % 16]);
    const auto at = [r](int i) { return (i - r % 8 + 8) % 8; };
    Eight::round(s[at(0)], s[at(1)], s[at(2)], s[at(3)], s[at(4)], s[at(5)], s[at(6)], s[at(7)], w[r % 16],
                 sha256_round_constants[r]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    _mm256_storeu_si256(reinterpret_cast<V*>(to + 8 * i), _mm256_add_epi32(s[i], load(from + 8 * i)));
}

}  // namespace village::crypto
#else
namespace village::crypto {
void sha256_compress_avx2(const std::uint32_t*, const std::uint32_t*, std::uint32_t*) { __builtin_trap(); }
}  // namespace village::crypto
#endif
