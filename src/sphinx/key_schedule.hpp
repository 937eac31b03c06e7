#pragma once
// From the shared secret of a hop to its keys, for many hops at a time. Source: nymtech/sphinx,
// header/shared_secret and payload/key.
#include "village/crypto/rows.hpp"

namespace village::sphinx {

// Where the keys lie in the expansion of a secret.
inline constexpr std::size_t expansion_bytes = 288;
inline constexpr std::size_t stream_key_at = 0;    // AES-128
inline constexpr std::size_t mac_key_at = 16;      // HMAC-SHA-256
inline constexpr std::size_t payload_key_at = 32;  // the seed (16) in version 259, the key (192) in 258
inline constexpr std::size_t blinding_at = 224;    // scalar
inline constexpr std::size_t tag_at = 256;         // replay tag
inline constexpr std::size_t stream_key_bytes = 16, mac_key_bytes = 16;

/// exchange_batch is crypto::x25519_batch; a single row of AVX2 would cost two of the portable kernel.
std::uint64_t exchange_batch(const crypto::ConstRows& scalars, const crypto::ConstRows& points,
                             const crypto::Rows& results);

/// expand_secrets derives each row of 288 bytes from a shared secret of 32.
void expand_secrets(const crypto::ConstRows& secrets, const crypto::Rows& expansions);

/// derive_payload_keys derives each LIONESS key of 192 bytes from a seed of 16.
void derive_payload_keys(const crypto::ConstRows& seeds, const crypto::Rows& keys);

/// header_macs authenticates the routing bytes of each header: 16-byte keys, macs of 1 to 32 bytes.
void header_macs(const crypto::ConstRows& keys, const crypto::ConstRows& routings, const crypto::Rows& macs);

/// column is one member of an array of structures, as rows.
template <class Row, std::size_t N>
crypto::Rows column(std::span<Row> rows, ByteArray<N> Row::*member) {
  return {{(rows.front().*member).data(), (rows.size() - 1) * sizeof(Row) + N}, N, sizeof(Row), rows.size()};
}

}  // namespace village::sphinx
