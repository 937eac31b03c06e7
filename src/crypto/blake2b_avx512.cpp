// BLAKE2b of eight lanes, one 64-bit element each, with VPRORQ.
#include "crypto/symmetric_kernels.hpp"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>

namespace village::crypto {
namespace {

using V = __m512i;

VG_INLINE V constant(std::uint64_t value) { return _mm512_set1_epi64(static_cast<long long>(value)); }

VG_INLINE void mix(V& a, V& b, V& c, V& d, V x, V y) {
  a = _mm512_add_epi64(_mm512_add_epi64(a, b), x);
  d = _mm512_ror_epi64(_mm512_xor_si512(d, a), 32);
  c = _mm512_add_epi64(c, d);
  b = _mm512_ror_epi64(_mm512_xor_si512(b, c), 24);
  a = _mm512_add_epi64(_mm512_add_epi64(a, b), y);
  d = _mm512_ror_epi64(_mm512_xor_si512(d, a), 16);
  c = _mm512_add_epi64(c, d);
  b = _mm512_ror_epi64(_mm512_xor_si512(b, c), 63);
}

VG_INLINE void compress(V* h, const V* m, std::uint64_t counted, bool last) {
  V v[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) v[i] = h[i], v[i + 8] = constant(blake2b_iv[i]);
  v[12] = _mm512_xor_si512(v[12], constant(counted));
  if (last) v[14] = _mm512_xor_si512(v[14], constant(~std::uint64_t{0}));
#pragma GCC unroll 12
  for (int r = 0; r < 12; ++r) {
    const auto* s = blake2b_sigma[r];
    mix(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
    mix(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
    mix(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
    mix(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
    mix(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
    mix(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
    mix(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
    mix(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) h[i] = _mm512_ternarylogic_epi64(h[i], v[i], v[i + 8], 0x96);
}

/// transpose: row i, element j becomes row j, element i.
VG_INLINE void transpose(V* r) {
  V t[8], u[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {  // pairs (0, 2) and (1, 3) of each half
    u[4 * i] = _mm512_shuffle_i64x2(t[4 * i], t[4 * i + 2], 0x88);
    u[4 * i + 1] = _mm512_shuffle_i64x2(t[4 * i + 1], t[4 * i + 3], 0x88);
    u[4 * i + 2] = _mm512_shuffle_i64x2(t[4 * i], t[4 * i + 2], 0xdd);
    u[4 * i + 3] = _mm512_shuffle_i64x2(t[4 * i + 1], t[4 * i + 3], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0x88);
    r[i + 4] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0xdd);
  }
}

/// load reads 64 bytes a lane; lanes beyond `used` repeat the last.
VG_INLINE void load(V* words, const std::byte* rows, std::size_t stride, std::size_t used, __mmask64 bytes) {
#pragma GCC unroll 8
  for (std::size_t lane = 0; lane < 8; ++lane)
    words[lane] = _mm512_maskz_loadu_epi8(bytes, rows + (lane < used ? lane : used - 1) * stride);
  transpose(words);
}
__mmask64 first(std::size_t bytes) { return bytes >= 64 ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1; }

}  // namespace

void blake2b_avx512(const Blake2bJob& job, std::size_t begin, std::size_t used) {
  V h[8], m[16];
  for (int i = 0; i < 8; ++i) h[i] = constant(blake2b_iv[i]);
  h[0] = _mm512_xor_si512(h[0], constant(0x01010000 ^ (job.key_bytes << 8) ^ job.digest_bytes));
  std::uint64_t counted = 0;
  if (job.key_bytes > 0) {
    load(m, job.keys + begin * job.key_stride, job.key_stride, used, first(job.key_bytes));
    for (int i = 8; i < 16; ++i) m[i] = _mm512_setzero_si512();
    counted = 128;
    compress(h, m, counted, job.message_bytes == 0);
  }
  const auto* message = job.messages + begin * job.message_stride;
  for (std::size_t left = job.message_bytes; left > 0 || counted == 0;) {
    const auto taken = left < 128 ? left : 128;
    load(m, message, job.message_stride, used, first(taken));
    load(m + 8, message + (taken > 64 ? 64 : 0), job.message_stride, used,
         first(taken > 64 ? taken - 64 : 0));
    left -= taken;
    message += taken;
    counted += taken;
    compress(h, m, counted, left == 0);
    if (left == 0) break;
  }
  transpose(h);
  for (std::size_t lane = 0; lane < used; ++lane)
    _mm512_mask_storeu_epi8(job.digests + (begin + lane) * job.digest_stride, first(job.digest_bytes),
                            h[lane]);
}

}  // namespace village::crypto
#else
namespace village::crypto {
void blake2b_avx512(const Blake2bJob&, std::size_t, std::size_t) { __builtin_trap(); }
}  // namespace village::crypto
#endif
