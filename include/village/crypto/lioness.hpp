#pragma once
// LIONESS: a wide-block permutation of ChaCha20 and keyed BLAKE2b-256, as crate lioness 0.1.2 with those
// primitives has it. Change one bit of either side and every bit of the other is as good as random. Source:
// Anderson and Biham, "Two practical and provably secure block ciphers: BEAR and LION", 1996.
#include <span>

#include "village/crypto/cpu.hpp"
#include "village/crypto/rows.hpp"

namespace village::crypto {

inline constexpr std::size_t lioness_key_bytes = 192;  ///< k1 32 | k2 64 | k3 32 | k4 64
inline constexpr std::size_t lioness_block_bytes_min = 33;

/// lioness_encrypt, lioness_decrypt change `block` (at least 33 bytes, VG_CHECKed) in place.
void lioness_encrypt(std::span<const std::byte, lioness_key_bytes> key, ByteSpan block);
void lioness_decrypt(std::span<const std::byte, lioness_key_bytes> key, ByteSpan block);

/// The same for each row under its own key: 1 to limits::batch_rows_max rows. Allocates nothing.
void lioness_encrypt(const ConstRows& keys, const Rows& blocks);
void lioness_decrypt(const ConstRows& keys, const Rows& blocks);
void lioness_encrypt(CpuLevel level, const ConstRows& keys, const Rows& blocks);
void lioness_decrypt(CpuLevel level, const ConstRows& keys, const Rows& blocks);

}  // namespace village::crypto
