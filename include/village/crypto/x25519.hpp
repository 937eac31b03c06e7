#pragma once
// X25519 Diffie-Hellman. Source: RFC 7748.
#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {

using X25519Public = ByteArray<32>;
using X25519Private = Secret<32>;  ///< not clamped in memory; clamped in use

struct X25519KeyPair {
  X25519Private private_key;
  X25519Public public_key;
  /// from_private computes the public half.
  static X25519KeyPair from_private(X25519Private private_key);
  static X25519KeyPair generate(RandomSource& random);
};

/// x25519 computes the shared secret. Errors: bad_key if the result is all zero (peer sent a low-order
/// point).
Result<Secret<32>> x25519(const X25519Private& private_key, const X25519Public& peer);

}  // namespace village::crypto
