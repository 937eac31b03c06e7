#pragma once
// Key streams of ciphers whose key is used once: no nonce, no authentication. Sources: D. J. Bernstein's
// ChaCha (64-bit nonce and counter); NIST SP 800-38A.
#include <span>

#include "village/base/bytes.hpp"
#include "village/crypto/cpu.hpp"

namespace village::crypto {

/// chacha20_xor adds the ChaCha20 key stream with nonce 0 and counter 0 to `data` (less than 256 GiB). Never
/// use one key twice. Allocates nothing after a thread's first call.
void chacha20_xor(std::span<const std::byte, 32> key, ByteSpan data);
void chacha20_xor(CpuLevel level, std::span<const std::byte, 32> key, ByteSpan data);

/// aes128_ctr_xor adds the AES-128-CTR key stream with IV 0 and a big-endian counter to `data`. Never use one
/// key twice. Allocates nothing after a thread's first call.
void aes128_ctr_xor(std::span<const std::byte, 16> key, ByteSpan data);
void aes128_ctr_xor(CpuLevel level, std::span<const std::byte, 16> key, ByteSpan data);

}  // namespace village::crypto
