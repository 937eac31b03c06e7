#pragma once
// The symmetric kernels, one instruction set a file (README, "Kernels"). They take plain pointers and use
// nothing of the standard library. A lane is one independent message; all lanes of a call have one length.
#include <cstddef>
#include <cstdint>

namespace village::crypto {

/// Sha256Lanes is where word `w` of lane `l` lies in the arrays of a kernel: transposed (SIMD) at
/// w * lanes + l, else at l * 16 + w. States (8 words) and blocks (16 words) use the same rule, so a digest
/// can become the start of a block by itself.
struct Sha256Kernel {
  std::size_t lanes;
  bool transposed;
  /// compress adds one block of every lane to the state `from`; `to` may be `from` or the block itself.
  void (*compress)(const std::uint32_t* from, const std::uint32_t* block, std::uint32_t* to);
};
void sha256_compress_avx512(const std::uint32_t* from, const std::uint32_t* block,
                            std::uint32_t* to);  // 16 lanes
void sha256_compress_avx2(const std::uint32_t* from, const std::uint32_t* block,
                          std::uint32_t* to);  // 8 lanes
void sha256_compress_shani(const std::uint32_t* from, const std::uint32_t* block,
                           std::uint32_t* to);  // 2, rows

/// Blake2bJob is one message a lane. Key and digest have at most 64 bytes.
struct Blake2bJob {
  const std::byte* keys;
  std::size_t key_stride, key_bytes;
  const std::byte* messages;
  std::size_t message_stride, message_bytes;
  std::byte* digests;
  std::size_t digest_stride, digest_bytes;
};
/// A kernel hashes rows begin .. begin + used - 1 (up to 8, 4 and 1 of them).
void blake2b_avx512(const Blake2bJob& job, std::size_t begin, std::size_t used);
void blake2b_avx2(const Blake2bJob& job, std::size_t begin, std::size_t used);
void blake2b_portable(const Blake2bJob& job, std::size_t row, std::size_t used);

/// chacha20_xor_avx512 adds the key stream (64-bit nonce 0, counter from 0) to `data`.
void chacha20_xor_avx512(const std::byte* key, std::byte* data, std::size_t size);

/// aes128_ctr_xor_* add the AES-128-CTR key stream (IV 0, big-endian counter) to `data`.
void aes128_ctr_xor_aesni(const std::byte* key, std::byte* data, std::size_t size);
void aes128_ctr_xor_vaes(const std::byte* key, std::byte* data, std::size_t size);

inline constexpr std::uint32_t sha256_round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/// RFC 7693 2.7: the order of message words; rounds 10 and 11 repeat 0 and 1.
inline constexpr unsigned char blake2b_sigma[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3}};
inline constexpr std::uint64_t blake2b_iv[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                                0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                                0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

#define VG_INLINE [[gnu::always_inline]] static inline

}  // namespace village::crypto
