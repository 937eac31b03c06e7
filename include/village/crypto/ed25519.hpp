#pragma once
// Ed25519 signatures and the X25519 form of their keys. Source: RFC 8032; RFC 7748 section 4.1 for the map.
#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/crypto/secret.hpp"
#include "village/crypto/x25519.hpp"

namespace village::crypto {

using Ed25519Public = ByteArray<32>;
using Ed25519Seed = Secret<32>;
using Ed25519Signature = ByteArray<64>;

/// Ed25519KeyPair is a node's identity: the 32-byte seed of RFC 8032 and the public key.
struct Ed25519KeyPair {
  Ed25519Seed seed;
  Ed25519Public public_key;
  static Ed25519KeyPair from_seed(Ed25519Seed seed);
  static Ed25519KeyPair generate(RandomSource& random);
  Ed25519Signature sign(ByteView message) const;
  /// x25519 is the Noise static of this identity: the clamped lower half of SHA-512(seed).
  X25519KeyPair x25519() const;
};

[[nodiscard]] bool verify(const Ed25519Public& key, ByteView message, const Ed25519Signature& signature);

/// x25519_public maps an Ed25519 public key to its X25519 form, u = (1 + y) / (1 - y).
/// The sign of x is lost: a key and its negative (bit 255 flipped) have one form, and one seed's owner can
/// use both. Errors: bad_key if the bytes are no canonical encoding of a point of the prime-order group.
Result<X25519Public> x25519_public(const Ed25519Public& key);

}  // namespace village::crypto
