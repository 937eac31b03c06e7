#pragma once
// Elligator 2: a uniform string to a point of edwards25519 (RFC 9380, edwards25519_XMD:SHA-512_ELL2_NU_).
#include "village/base/bytes.hpp"

namespace village::crypto {

/// elligator_edwards25519 maps 48 uniform bytes (big endian, reduced modulo p) to the encoding of a point on
/// the curve, not yet multiplied by the cofactor. Constant time.
ByteArray<32> elligator_edwards25519(std::span<const std::byte, 48> uniform);

}  // namespace village::crypto
