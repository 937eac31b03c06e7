#pragma once
// AES-128 key expansion by AESKEYGENASSIST, shared by the two AES kernels. Included by kernel files only.
#include <immintrin.h>

#include "crypto/symmetric_kernels.hpp"

namespace village::crypto {
namespace {

struct AesRoundKeys {
  __m128i key[11];

  template <int constant>
  VG_INLINE __m128i next(__m128i key) {
    const __m128i assist = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(key, constant), 0xff);
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, assist);
  }
  [[gnu::always_inline]] inline void expand(const std::byte* from) {
    key[0] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    key[1] = next<0x01>(key[0]);
    key[2] = next<0x02>(key[1]);
    key[3] = next<0x04>(key[2]);
    key[4] = next<0x08>(key[3]);
    key[5] = next<0x10>(key[4]);
    key[6] = next<0x20>(key[5]);
    key[7] = next<0x40>(key[6]);
    key[8] = next<0x80>(key[7]);
    key[9] = next<0x1b>(key[8]);
    key[10] = next<0x36>(key[9]);
  }
  [[gnu::always_inline]] inline void wipe() {
    __builtin_memset(key, 0, sizeof key);
    asm volatile("" : : "r"(key) : "memory");
  }
};

}  // namespace
}  // namespace village::crypto
