// Four Keccak permutations at once: one 64-bit lane of each in a 256-bit register. Every function carries the
// target attribute, so that nothing else of the program is compiled for AVX2.
#include "crypto/keccak_permutation.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#define VG_AVX2 __attribute__((target("avx2"), always_inline)) inline

namespace village::crypto {
namespace {

template <int bits>
VG_AVX2 __m256i rotated(__m256i v) {
  return _mm256_or_si256(_mm256_slli_epi64(v, bits), _mm256_srli_epi64(v, 64 - bits));
}
VG_AVX2 __m256i exclusive(__m256i a, __m256i b) { return _mm256_xor_si256(a, b); }
VG_AVX2 __m256i sum(const __m256i* a) {
  return exclusive(exclusive(exclusive(a[0], a[5]), exclusive(a[10], a[15])), a[20]);
}

VG_AVX2 void chi(__m256i a, __m256i b, __m256i c, __m256i d, __m256i e, __m256i* out) {
  out[0] = exclusive(a, _mm256_andnot_si256(b, c));
  out[1] = exclusive(b, _mm256_andnot_si256(c, d));
  out[2] = exclusive(c, _mm256_andnot_si256(d, e));
  out[3] = exclusive(d, _mm256_andnot_si256(e, a));
  out[4] = exclusive(e, _mm256_andnot_si256(a, b));
}

/// round_of is that of keccak.cpp.
VG_AVX2 void round_of(const __m256i* a, __m256i* b, std::uint64_t constant) {
  const __m256i c0 = sum(a), c1 = sum(a + 1), c2 = sum(a + 2), c3 = sum(a + 3), c4 = sum(a + 4);
  const __m256i d0 = exclusive(c4, rotated<1>(c1)), d1 = exclusive(c0, rotated<1>(c2)),
                d2 = exclusive(c1, rotated<1>(c3)), d3 = exclusive(c2, rotated<1>(c4)),
                d4 = exclusive(c3, rotated<1>(c0));
  chi(exclusive(a[0], d0), rotated<44>(exclusive(a[6], d1)), rotated<43>(exclusive(a[12], d2)),
      rotated<21>(exclusive(a[18], d3)), rotated<14>(exclusive(a[24], d4)), b);
  chi(rotated<28>(exclusive(a[3], d3)), rotated<20>(exclusive(a[9], d4)), rotated<3>(exclusive(a[10], d0)),
      rotated<45>(exclusive(a[16], d1)), rotated<61>(exclusive(a[22], d2)), b + 5);
  chi(rotated<1>(exclusive(a[1], d1)), rotated<6>(exclusive(a[7], d2)), rotated<25>(exclusive(a[13], d3)),
      rotated<8>(exclusive(a[19], d4)), rotated<18>(exclusive(a[20], d0)), b + 10);
  chi(rotated<27>(exclusive(a[4], d4)), rotated<36>(exclusive(a[5], d0)), rotated<10>(exclusive(a[11], d1)),
      rotated<15>(exclusive(a[17], d2)), rotated<56>(exclusive(a[23], d3)), b + 15);
  chi(rotated<62>(exclusive(a[2], d2)), rotated<55>(exclusive(a[8], d3)), rotated<39>(exclusive(a[14], d4)),
      rotated<41>(exclusive(a[15], d0)), rotated<2>(exclusive(a[21], d1)), b + 20);
  b[0] = exclusive(b[0], _mm256_set1_epi64x(static_cast<long long>(constant)));
}

}  // namespace

__attribute__((target("avx2"))) void keccak_permute_x4_avx2(KeccakState4& states) {
  __m256i a[25], b[25];
  for (std::size_t i = 0; i < 25; ++i) {
    a[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(states.lanes[i].data()));
  }
  for (std::size_t r = 0; r < keccak_rounds; r += 2) {
    round_of(a, b, keccak_round_constants[r]);
    round_of(b, a, keccak_round_constants[r + 1]);
  }
  for (std::size_t i = 0; i < 25; ++i) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(states.lanes[i].data()), a[i]);
  }
}

}  // namespace village::crypto
#endif
