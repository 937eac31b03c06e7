#pragma once
// A verifiable random function: who holds the key computes an output nobody can predict or choose, and can
// prove it. Source: RFC 9381, ECVRF-EDWARDS25519-SHA512-ELL2.
#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {

inline constexpr std::size_t vrf_proof_bytes = 80;  ///< point Gamma 32 | challenge c 16 | scalar s 32
using VrfProof = ByteArray<vrf_proof_bytes>;
using VrfOutput = ByteArray<64>;

/// VrfKeyPair is made like an Ed25519 key. Never use one key for both: signatures and proofs share a nonce
/// construction.
struct VrfKeyPair {
  Secret<32> seed;
  Ed25519Public public_key;
  static VrfKeyPair from_seed(Secret<32> seed);
  static VrfKeyPair generate(RandomSource& random);
  /// prove: deterministic; constant time in key and input. About 0.2 ms. The output is vrf_output(proof).
  VrfProof prove(ByteView input) const;
};

/// vrf_output is the output that a proof of one's own stands for (RFC 9381: proof_to_hash). It says nothing
/// about a proof that came from elsewhere: use vrf_verify. Errors: malformed.
Result<VrfOutput> vrf_output(ByteView proof);

/// vrf_verify returns the output if `proof` shows that it is `key`'s for `input`. Stricter than the RFC asks:
/// key and Gamma must be canonical encodings of points of the prime-order group other than the identity, so a
/// key and an input have one output and small-order tricks have no room. Errors: bad_key, malformed,
/// bad_signature (the proof is well formed, but not one). About 0.3 ms.
Result<VrfOutput> vrf_verify(const Ed25519Public& key, ByteView input, ByteView proof);

}  // namespace village::crypto
