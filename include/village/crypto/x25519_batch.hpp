#pragma once
// X25519 for many at a time. Sources: RFC 7748; Montgomery's simultaneous inversion.
#include <cstdint>

#include "village/crypto/cpu.hpp"
#include "village/crypto/rows.hpp"

namespace village::crypto {

/// x25519_batch writes the product of scalar and point of each row: 32-byte rows, 1 to limits::batch_rows_max
/// of them, as many of each (VG_CHECKed). One key for all: ConstRows::repeated. Scalars are clamped, bit 255
/// of a point is ignored and non-canonical points are taken modulo p, as RFC 7748 says. `results` may be the
/// points or the scalars themselves.
///
/// Returns the mask of rows whose result is all zero (bit i: row i), that is whose point has low order; the
/// caller must refuse those. Constant time in scalars and points, except for that mask. Allocates nothing;
/// secret intermediate values are wiped.
///
/// Cost on one core of an AMD EPYC (Zen 5), 64 rows: ifma 2.3 us a row, avx2 10 us, portable 21 us (OpenSSL
/// 22 us, libsodium 28 us). Kernels work on 8, 4 and 1 rows at a time, and the inversion is shared by all
/// rows of one call: full multiples of 8 pay most.
std::uint64_t x25519_batch(const ConstRows& scalars, const ConstRows& points, const Rows& results);
/// The same by the kernels of one level, which must be available.
std::uint64_t x25519_batch(CpuLevel level, const ConstRows& scalars, const ConstRows& points,
                           const Rows& results);

}  // namespace village::crypto
