#pragma once
// BLAKE2b of many messages of one length, keyed or not. Source: RFC 7693.
#include "village/crypto/cpu.hpp"
#include "village/crypto/rows.hpp"

namespace village::crypto {

/// blake2b_batch digests each message under its own key. Keys have 16 to 64 bytes; digests 1 to 64, the
/// length being part of the computation. 1 to limits::batch_rows_max rows of each (VG_CHECKed). Works on 8
/// rows at a time with AVX-512, 4 with AVX2, else one by one. Allocates nothing. A digest may
/// lie in front of its own message, never inside it.
void blake2b_batch(const ConstRows& keys, const ConstRows& messages, const Rows& digests);
void blake2b_batch(CpuLevel level, const ConstRows& keys, const ConstRows& messages, const Rows& digests);

}  // namespace village::crypto
