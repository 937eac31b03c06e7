// AES-128-CTR with AES-NI, eight blocks at a time.
#include "crypto/symmetric_kernels.hpp"

#if defined(__AES__) && defined(__SSE4_1__)
#include "crypto/aes_ctr_kernel.hpp"

namespace village::crypto {

void aes128_ctr_xor_aesni(const std::byte* key, std::byte* data, std::size_t size) {
  AesRoundKeys keys;
  keys.expand(key);
  for (std::uint64_t counter = 0; size > 0; counter += 8) {
    __m128i block[8];
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; ++i) {
      const auto big_endian = __builtin_bswap64(counter + i);
      block[i] = _mm_xor_si128(_mm_set_epi64x(static_cast<long long>(big_endian), 0), keys.key[0]);
    }
    for (int r = 1; r < 10; ++r) {
#pragma GCC unroll 8
      for (auto& b : block) b = _mm_aesenc_si128(b, keys.key[r]);
    }
#pragma GCC unroll 8
    for (auto& b : block) b = _mm_aesenclast_si128(b, keys.key[10]);
    for (std::size_t i = 0; i < 8 && size > 0; ++i) {
      const std::size_t taken = size < 16 ? size : 16;
      __m128i text = _mm_setzero_si128();
      __builtin_memcpy(&text, data, taken);
      text = _mm_xor_si128(text, block[i]);
      __builtin_memcpy(data, &text, taken);
      data += taken;
      size -= taken;
    }
  }
  keys.wipe();
}

}  // namespace village::crypto
#else
namespace village::crypto {
void aes128_ctr_xor_aesni(const std::byte*, std::byte*, std::size_t) { __builtin_trap(); }
}  // namespace village::crypto
#endif
