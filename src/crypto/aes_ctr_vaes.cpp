// AES-128-CTR with VAES on 512-bit registers: 24 blocks at a time, which covers a 360-byte Sphinx key stream.
#include "crypto/symmetric_kernels.hpp"

#if defined(__VAES__) && defined(__AVX512BW__)
#include "crypto/aes_ctr_kernel.hpp"

namespace village::crypto {

void aes128_ctr_xor_vaes(const std::byte* key, std::byte* data, std::size_t size) {
  AesRoundKeys keys;
  keys.expand(key);
  const __m512i swap =
      _mm512_broadcast_i32x4(_mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8));
  __m512i counter = _mm512_setr_epi64(0, 0, 0, 1, 0, 2, 0, 3);  // low half zero; swapped before use
  const __m512i four = _mm512_setr_epi64(0, 4, 0, 4, 0, 4, 0, 4);
  while (size > 0) {
    __m512i block[6];
#pragma GCC unroll 6
    for (auto& b : block) {
      b = _mm512_xor_si512(_mm512_shuffle_epi8(counter, swap), _mm512_broadcast_i32x4(keys.key[0]));
      counter = _mm512_add_epi64(counter, four);
    }
#pragma GCC unroll 9
    for (int r = 1; r < 10; ++r) {
      const __m512i round_key = _mm512_broadcast_i32x4(keys.key[r]);
#pragma GCC unroll 6
      for (auto& b : block) b = _mm512_aesenc_epi128(b, round_key);
    }
#pragma GCC unroll 6
    for (auto& b : block) b = _mm512_aesenclast_epi128(b, _mm512_broadcast_i32x4(keys.key[10]));
#pragma GCC unroll 6
    for (const auto& b : block) {
      const std::size_t taken = size < 64 ? size : 64;
      const __mmask64 mask = taken == 64 ? ~__mmask64{0} : (__mmask64{1} << taken) - 1;
      _mm512_mask_storeu_epi8(data, mask, _mm512_xor_si512(b, _mm512_maskz_loadu_epi8(mask, data)));
      data += taken;
      size -= taken;
    }
  }
  keys.wipe();
}

}  // namespace village::crypto
#else
namespace village::crypto {
void aes128_ctr_xor_vaes(const std::byte*, std::byte*, std::size_t) { __builtin_trap(); }
}  // namespace village::crypto
#endif
