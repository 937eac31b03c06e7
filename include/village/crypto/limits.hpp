#pragma once
// Bounds of crypto. What a peer can grow here is one message and one certificate chain.
#include <cstddef>

namespace village::crypto::limits {

/// One AEAD message: what fits OpenSSL's int lengths with room to spare, far below GCM's 2^36 - 32 bytes.
inline constexpr std::size_t aead_message_bytes_max = std::size_t{1} << 30;
/// HKDF-Expand gives at most this many digests (RFC 5869 2.3).
inline constexpr std::size_t hkdf_digests_max = 255;
/// A peer's certificate chain: public web servers send 2 to 5.
inline constexpr std::size_t chain_certificates_max = 10;
inline constexpr std::size_t certificate_bytes_max = 64 * 1024;

/// One call of a batch function: eight vectors of eight. A batch lives on the stack: 64 rows of some 200
/// bytes.
inline constexpr std::size_t batch_rows_max = 64;
/// HKDF's info in a batch; Sphinx uses 97 bytes.
inline constexpr std::size_t hkdf_batch_info_bytes_max = 256;

static_assert(chain_certificates_max * certificate_bytes_max <= 1024 * 1024);  // 1 MiB for one handshake

}  // namespace village::crypto::limits
