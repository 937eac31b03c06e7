#pragma once
// The field of 2^255 - 19 for any CPU: five 64-bit limbs in radix 2^51 with 128-bit products. One element; as
// a field of one lane it is the portable form of x25519_ladder.hpp.
//
// Bounds: a multiplication leaves limbs < 2^51 + 2^13; a sum of two < 2^52 + 2^14, a difference (4p is added)
// < 2^54. Products of two such, five of them, 19 times: < 2^113. Constant time throughout.
#include <cstddef>
#include <cstdint>

#include "crypto/x25519_ladder.hpp"

namespace village::crypto::portable {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
using Wide = unsigned __int128;
#pragma GCC diagnostic pop
using Limb = std::uint64_t;

struct Field {
  static constexpr std::size_t lanes = 1;
  struct Operand {
    Limb l0, l1, l2, l3, l4;
  };
  using Product = Operand;
  using Mask = Limb;  ///< all ones or zero
  struct Scalar {
    Limb word[4];
  };
  static constexpr Limb mask51 = (Limb{1} << 51) - 1;

  VG_INLINE Wide times(Limb a, Limb b) { return static_cast<Wide>(a) * b; }
  VG_INLINE Limb low(Wide a) { return static_cast<Limb>(a) & mask51; }
  VG_INLINE Limb high(Wide a) { return static_cast<Limb>(a >> 51); }

  VG_INLINE Operand reduce(const Product& a) { return a; }
  VG_INLINE Product widen(const Operand& a) { return a; }
  VG_INLINE Product one() { return {1, 0, 0, 0, 0}; }
  VG_INLINE Operand add(const Product& a, const Product& b) {
    return {a.l0 + b.l0, a.l1 + b.l1, a.l2 + b.l2, a.l3 + b.l3, a.l4 + b.l4};
  }
  VG_INLINE Operand sub(const Product& a, const Product& b) {
    constexpr Limb p0 = (Limb{1} << 53) - 76, p = (Limb{1} << 53) - 4;
    return {a.l0 + p0 - b.l0, a.l1 + p - b.l1, a.l2 + p - b.l2, a.l3 + p - b.l3, a.l4 + p - b.l4};
  }

  VG_INLINE Product carry(Wide r0, Wide r1, Wide r2, Wide r3, Wide r4) {
    r1 += high(r0);
    r2 += high(r1);
    r3 += high(r2);
    r4 += high(r3);
    const Limb l0 = low(r0) + 19 * high(r4);
    return {l0 & mask51, low(r1) + (l0 >> 51), low(r2), low(r3), low(r4)};
  }

  VG_INLINE Product multiply(const Operand& a, const Operand& b) {
    const Limb b1 = 19 * b.l1, b2 = 19 * b.l2, b3 = 19 * b.l3, b4 = 19 * b.l4;
    return carry(
        times(a.l0, b.l0) + times(a.l1, b4) + times(a.l2, b3) + times(a.l3, b2) + times(a.l4, b1),
        times(a.l0, b.l1) + times(a.l1, b.l0) + times(a.l2, b4) + times(a.l3, b3) + times(a.l4, b2),
        times(a.l0, b.l2) + times(a.l1, b.l1) + times(a.l2, b.l0) + times(a.l3, b4) + times(a.l4, b3),
        times(a.l0, b.l3) + times(a.l1, b.l2) + times(a.l2, b.l1) + times(a.l3, b.l0) + times(a.l4, b4),
        times(a.l0, b.l4) + times(a.l1, b.l3) + times(a.l2, b.l2) + times(a.l3, b.l1) + times(a.l4, b.l0));
  }

  VG_INLINE Product square(const Operand& a) {
    const Limb d0 = 2 * a.l0, d1 = 2 * a.l1, n3 = 19 * a.l3, n4 = 19 * a.l4;
    const Limb d2n = 2 * a.l2, d4n = 2 * n4;
    return carry(times(a.l0, a.l0) + times(a.l1, d4n) + times(d2n, n3),
                 times(d0, a.l1) + times(a.l2, d4n) + times(a.l3, n3),
                 times(d0, a.l2) + times(a.l1, a.l1) + times(a.l3, d4n),
                 times(d0, a.l3) + times(d1, a.l2) + times(a.l4, n4),
                 times(d0, a.l4) + times(d1, a.l3) + times(a.l2, a.l2));
  }

  VG_INLINE Operand add_a24(const Product& a, const Operand& e) {
    constexpr Limb k = 121665;
    return carry(times(e.l0, k) + a.l0, times(e.l1, k) + a.l1, times(e.l2, k) + a.l2, times(e.l3, k) + a.l3,
                 times(e.l4, k) + a.l4);
  }

  VG_INLINE Operand select(const Operand& a, const Operand& b, Mask take_b) {
    return {a.l0 ^ (take_b & (a.l0 ^ b.l0)), a.l1 ^ (take_b & (a.l1 ^ b.l1)), a.l2 ^ (take_b & (a.l2 ^ b.l2)),
            a.l3 ^ (take_b & (a.l3 ^ b.l3)), a.l4 ^ (take_b & (a.l4 ^ b.l4))};
  }
  VG_INLINE Product select_product(const Product& a, const Product& b, Mask take_b) {
    return select(a, b, take_b);
  }

  /// opaque keeps the compiler from seeing that a mask has two values, lest it makes a branch of it.
  VG_INLINE Mask opaque(Mask mask) {
    asm("" : "+r"(mask));
    return mask;
  }
  VG_INLINE Mask bit(const Scalar& k, int t) { return opaque(Limb{0} - ((k.word[t / 64] >> (t % 64)) & 1)); }
  VG_INLINE Mask differ(Mask a, Mask b) { return a ^ b; }

  static Limb load_word(const std::byte* from) {
    Limb word = 0;
    for (unsigned i = 0; i < 8; ++i) word |= static_cast<Limb>(from[i]) << (8 * i);
    return word;
  }
  static Scalar load_scalar(const std::byte* row, std::size_t, std::size_t) {
    return {{load_word(row) & ~Limb{7}, load_word(row + 8), load_word(row + 16),
             (load_word(row + 24) & (~Limb{0} >> 1)) | (Limb{1} << 62)}};
  }
  static Operand load(const std::byte* row, std::size_t, std::size_t) {
    const Limb w0 = load_word(row), w1 = load_word(row + 8), w2 = load_word(row + 16),
               w3 = load_word(row + 24);
    return {w0 & mask51, (w0 >> 51 | w1 << 13) & mask51, (w1 >> 38 | w2 << 26) & mask51,
            (w2 >> 25 | w3 << 39) & mask51, (w3 >> 12) & mask51};
  }

  /// canonical carries one limb after another, twice, then subtracts p if the value is p or more.
  static Operand canonical(Operand a) {
    Limb* const limb[5] = {&a.l0, &a.l1, &a.l2, &a.l3, &a.l4};
    const auto chain = [&limb](Limb in) {
      for (auto* l : limb) {
        *l += in;
        in = *l >> 51;
        *l &= mask51;
      }
      return in;
    };
    Limb out = chain(0);
    out = chain(19 * out);
    a.l0 += 19 * out;
    Limb q = 19;
    for (const auto* l : limb) q = (*l + q) >> 51;
    chain(19 * q);
    return a;
  }
  static Mask zero_mask(const Operand& a) {
    const Limb any = a.l0 | a.l1 | a.l2 | a.l3 | a.l4;  // < 2^51
    return opaque(Limb{0} - ((any - 1) >> 63));
  }
  static Mask is_zero(const Operand& a) { return zero_mask(canonical(a)); }

  static std::uint64_t store(std::byte* row, std::size_t, std::size_t, const Operand& value, Mask forced) {
    const Operand a = canonical(value);
    const Limb words[4] = {a.l0 | a.l1 << 51, a.l1 >> 13 | a.l2 << 38, a.l2 >> 26 | a.l3 << 25,
                           a.l3 >> 39 | a.l4 << 12};
    for (unsigned i = 0; i < 32; ++i)
      row[i] = static_cast<std::byte>((words[i / 8] & ~forced) >> (8 * (i % 8)));
    return (zero_mask(a) | forced) & 1;
  }
};

}  // namespace village::crypto::portable
