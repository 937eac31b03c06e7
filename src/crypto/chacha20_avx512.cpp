// ChaCha20 key stream of sixteen blocks at a time, block i in element i of each register.
#include "crypto/symmetric_kernels.hpp"

#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <immintrin.h>

namespace village::crypto {
namespace {

using V = __m512i;

VG_INLINE void quarter(V& a, V& b, V& c, V& d) {
  a = _mm512_add_epi32(a, b);
  d = _mm512_rol_epi32(_mm512_xor_si512(d, a), 16);
  c = _mm512_add_epi32(c, d);
  b = _mm512_rol_epi32(_mm512_xor_si512(b, c), 12);
  a = _mm512_add_epi32(a, b);
  d = _mm512_rol_epi32(_mm512_xor_si512(d, a), 8);
  c = _mm512_add_epi32(c, d);
  b = _mm512_rol_epi32(_mm512_xor_si512(b, c), 7);
}

/// transpose: row i, element j becomes row j, element i; out gets whole blocks.
VG_INLINE void transpose(const V* r, V* out) {
  V t[16], u[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {  // u[4i + j]: elements 4k + j of rows 4i .. 4i + 3
    u[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    u[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    u[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    u[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const V a = _mm512_shuffle_i32x4(u[j], u[4 + j], 0x88), b = _mm512_shuffle_i32x4(u[j], u[4 + j], 0xdd);
    const V c = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0x88),
            d = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0xdd);
    out[j] = _mm512_shuffle_i32x4(a, c, 0x88);
    out[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
    out[8 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
    out[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
  }
}

}  // namespace

void chacha20_xor_avx512(const std::byte* key, std::byte* data, std::size_t size) {
  std::uint32_t words[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  __builtin_memcpy(words + 4, key, 32);
  V start[16], v[16], block[16];
  for (int i = 0; i < 16; ++i) start[i] = _mm512_set1_epi32(static_cast<int>(words[i]));
  start[12] = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  while (size > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) v[i] = start[i];
    for (int r = 0; r < 10; ++r) {
      quarter(v[0], v[4], v[8], v[12]);
      quarter(v[1], v[5], v[9], v[13]);
      quarter(v[2], v[6], v[10], v[14]);
      quarter(v[3], v[7], v[11], v[15]);
      quarter(v[0], v[5], v[10], v[15]);
      quarter(v[1], v[6], v[11], v[12]);
      quarter(v[2], v[7], v[8], v[13]);
      quarter(v[3], v[4], v[9], v[14]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) v[i] = _mm512_add_epi32(v[i], start[i]);
    transpose(v, block);
    for (int i = 0; i < 16 && size > 0; ++i) {
      const std::size_t taken = size < 64 ? size : 64;
      const __mmask64 mask = taken == 64 ? ~__mmask64{0} : (__mmask64{1} << taken) - 1;
      _mm512_mask_storeu_epi8(data, mask, _mm512_xor_si512(block[i], _mm512_maskz_loadu_epi8(mask, data)));
      data += taken;
      size -= taken;
    }
    // The callers' bound keeps the counter below 2^32.
    start[12] = _mm512_add_epi32(start[12], _mm512_set1_epi32(16));
  }
  __builtin_memset(words, 0, sizeof words);
  __builtin_memset(start, 0, sizeof start);
  __builtin_memset(block, 0, sizeof block);
  asm volatile("" : : "r"(words), "r"(start), "r"(block) : "memory");
}

}  // namespace village::crypto
#else
namespace village::crypto {
void chacha20_xor_avx512(const std::byte*, std::byte*, std::size_t) { __builtin_trap(); }
}  // namespace village::crypto
#endif
