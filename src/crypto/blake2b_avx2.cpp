// BLAKE2b of four lanes with AVX2.
#include "crypto/symmetric_kernels.hpp"

#if defined(__AVX2__)
#include <immintrin.h>

namespace village::crypto {
namespace {

using V = __m256i;

VG_INLINE V constant(std::uint64_t value) { return _mm256_set1_epi64x(static_cast<long long>(value)); }
VG_INLINE V right32(V a) { return _mm256_shuffle_epi32(a, 0xb1); }
VG_INLINE V right24(V a) {
  return _mm256_shuffle_epi8(a, _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3, 4,
                                                 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10));
}
VG_INLINE V right16(V a) {
  return _mm256_shuffle_epi8(a, _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2, 3,
                                                 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9));
}
VG_INLINE V right63(V a) { return _mm256_or_si256(_mm256_srli_epi64(a, 63), _mm256_add_epi64(a, a)); }

VG_INLINE void mix(V& a, V& b, V& c, V& d, V x, V y) {
  a = _mm256_add_epi64(_mm256_add_epi64(a, b), x);
  d = right32(_mm256_xor_si256(d, a));
  c = _mm256_add_epi64(c, d);
  b = right24(_mm256_xor_si256(b, c));
  a = _mm256_add_epi64(_mm256_add_epi64(a, b), y);
  d = right16(_mm256_xor_si256(d, a));
  c = _mm256_add_epi64(c, d);
  b = right63(_mm256_xor_si256(b, c));
}

VG_INLINE void compress(V* h, const V* m, std::uint64_t counted, bool last) {
  V v[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) v[i] = h[i], v[i + 8] = constant(blake2b_iv[i]);
  v[12] = _mm256_xor_si256(v[12], constant(counted));
  if (last) v[14] = _mm256_xor_si256(v[14], constant(~std::uint64_t{0}));
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
  for (int i = 0; i < 8; ++i) h[i] = _mm256_xor_si256(h[i], _mm256_xor_si256(v[i], v[i + 8]));
}

/// transpose: row i, element j becomes row j, element i.
VG_INLINE void transpose(V* r) {
  const V t0 = _mm256_unpacklo_epi64(r[0], r[1]), t1 = _mm256_unpackhi_epi64(r[0], r[1]);
  const V t2 = _mm256_unpacklo_epi64(r[2], r[3]), t3 = _mm256_unpackhi_epi64(r[2], r[3]);
  r[0] = _mm256_permute2x128_si256(t0, t2, 0x20);
  r[1] = _mm256_permute2x128_si256(t1, t3, 0x20);
  r[2] = _mm256_permute2x128_si256(t0, t2, 0x31);
  r[3] = _mm256_permute2x128_si256(t1, t3, 0x31);
}

VG_INLINE void load_block(V* m, const std::byte* rows, std::size_t stride, std::size_t used) {
#pragma GCC unroll 4
  for (std::size_t part = 0; part < 4; ++part) {
#pragma GCC unroll 4
    for (std::size_t lane = 0; lane < 4; ++lane) {
      const auto* row = rows + (lane < used ? lane : used - 1) * stride + 32 * part;
      m[4 * part + lane] = _mm256_loadu_si256(reinterpret_cast<const V*>(row));
    }
    transpose(m + 4 * part);
  }
}

/// load_short reads `bytes` < 128 bytes a lane, followed by zeros.
void load_short(V* m, const std::byte* rows, std::size_t stride, std::size_t used, std::size_t bytes) {
  alignas(32) std::byte padded[4][128] = {};
  for (std::size_t lane = 0; lane < used; ++lane) __builtin_memcpy(padded[lane], rows + lane * stride, bytes);
  load_block(m, padded[0], 128, 4);
  __builtin_memset(padded, 0, sizeof padded);  // it may have held a key
  asm volatile("" : : "r"(padded) : "memory");
}

}  // namespace

void blake2b_avx2(const Blake2bJob& job, std::size_t begin, std::size_t used) {
  V h[8], m[16];
  for (int i = 0; i < 8; ++i) h[i] = constant(blake2b_iv[i]);
  h[0] = _mm256_xor_si256(h[0], constant(0x01010000 ^ (job.key_bytes << 8) ^ job.digest_bytes));
  std::uint64_t counted = 0;
  if (job.key_bytes > 0) {
    load_short(m, job.keys + begin * job.key_stride, job.key_stride, used, job.key_bytes);
    counted = 128;
    compress(h, m, counted, job.message_bytes == 0);
  }
  const auto* message = job.messages + begin * job.message_stride;
  for (std::size_t left = job.message_bytes; left > 0 || counted == 0;) {
    const auto taken = left < 128 ? left : 128;
    if (taken == 128) {
      load_block(m, message, job.message_stride, used);
    } else {
      load_short(m, message, job.message_stride, used, taken);
    }
    left -= taken;
    message += taken;
    counted += taken;
    compress(h, m, counted, left == 0);
    if (left == 0) break;
  }
  transpose(h);
  transpose(h + 4);
  for (std::size_t lane = 0; lane < used; ++lane) {
    alignas(32) std::byte digest[64];
    _mm256_store_si256(reinterpret_cast<V*>(digest), h[lane]);
    _mm256_store_si256(reinterpret_cast<V*>(digest + 32), h[lane + 4]);
    __builtin_memcpy(job.digests + (begin + lane) * job.digest_stride, digest, job.digest_bytes);
  }
}

}  // namespace village::crypto
#else
namespace village::crypto {
void blake2b_avx2(const Blake2bJob&, std::size_t, std::size_t) { __builtin_trap(); }
}  // namespace village::crypto
#endif
