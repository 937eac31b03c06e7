// X25519 for eight lanes with AVX-512 IFMA: limb i of eight elements in one register, radix 2^51.
//
// VPMADD52 multiplies the low 52 bits of each lane and adds the low or high 52 bits of the product. Bits
// above the 52nd are ignored without a trace, hence the bounds kept beside each function:
//   Operand  limbs < 2^51 + 2^17 (what carry leaves), below 2^52 with room
//   Product  limbs < 2^60.3: sums of products and their fold, not carried
// The high half of limb product k weighs 2^52 = 2 * 2^51 and so counts double in limb k + 1.
#include "crypto/x25519_ladder.hpp"

#if defined(__AVX512F__) && defined(__AVX512IFMA__) && defined(__AVX512DQ__)
#include <immintrin.h>

namespace village::crypto {
namespace {

using V = __m512i;

struct Field {
  static constexpr std::size_t lanes = 8;
  struct Operand {
    V l0, l1, l2, l3, l4;
  };
  struct Product {
    V l0, l1, l2, l3, l4;
  };
  using Mask = __mmask8;
  struct Scalar {
    V word[4];
  };

  VG_INLINE V constant(std::uint64_t value) { return _mm512_set1_epi64(static_cast<long long>(value)); }
  VG_INLINE V low(V sum, V a, V b) { return _mm512_madd52lo_epu64(sum, a, b); }
  VG_INLINE V high(V sum, V a, V b) { return _mm512_madd52hi_epu64(sum, a, b); }
  VG_INLINE V plus(V a, V b) { return _mm512_add_epi64(a, b); }
  VG_INLINE V twice(V a) { return _mm512_add_epi64(a, a); }
  /// times19 by the instruction: g++ makes four of a multiplication by a known constant.
  VG_INLINE V times19(V a) {
    V product;
    asm("vpmullq %2, %1, %0" : "=v"(product) : "v"(a), "vm"(constant(19)));
    return product;
  }
  VG_INLINE V mask51() { return constant((std::uint64_t{1} << 51) - 1); }

  /// carry takes limbs < 2^63: carries < 2^12, 19 of them < 2^17.
  VG_INLINE Operand carry(V r0, V r1, V r2, V r3, V r4) {
    const V m = mask51();
    const V c0 = _mm512_srli_epi64(r0, 51), c1 = _mm512_srli_epi64(r1, 51), c2 = _mm512_srli_epi64(r2, 51),
            c3 = _mm512_srli_epi64(r3, 51), c4 = _mm512_srli_epi64(r4, 51);
    return {low(_mm512_and_si512(r0, m), c4, constant(19)), plus(_mm512_and_si512(r1, m), c0),
            plus(_mm512_and_si512(r2, m), c1), plus(_mm512_and_si512(r3, m), c2),
            plus(_mm512_and_si512(r4, m), c3)};
  }

  VG_INLINE Operand reduce(const Product& a) { return carry(a.l0, a.l1, a.l2, a.l3, a.l4); }
  VG_INLINE Product widen(const Operand& a) { return {a.l0, a.l1, a.l2, a.l3, a.l4}; }
  VG_INLINE Product one() {
    const V zero = _mm512_setzero_si512();
    return {constant(1), zero, zero, zero, zero};
  }

  VG_INLINE Operand add(const Product& a, const Product& b) {
    return carry(plus(a.l0, b.l0), plus(a.l1, b.l1), plus(a.l2, b.l2), plus(a.l3, b.l3), plus(a.l4, b.l4));
  }
  /// sub adds 2^10 p, whose limbs (about 2^61) exceed any Product's.
  VG_INLINE Operand sub(const Product& a, const Product& b) {
    const V p0 = constant((std::uint64_t{1} << 61) - 19 * 1024),
            p = constant((std::uint64_t{1} << 61) - 1024);
    return carry(_mm512_sub_epi64(plus(a.l0, p0), b.l0), _mm512_sub_epi64(plus(a.l1, p), b.l1),
                 _mm512_sub_epi64(plus(a.l2, p), b.l2), _mm512_sub_epi64(plus(a.l3, p), b.l3),
                 _mm512_sub_epi64(plus(a.l4, p), b.l4));
  }

  /// fold: 2^255 = 19. Limbs t < 14 * 2^52, so results < 20 * 14 * 2^52 < 2^60.2.
  VG_INLINE Product fold(V t0, V t1, V t2, V t3, V t4, V t5, V t6, V t7, V t8, V t9) {
    return {plus(t0, times19(t5)), plus(t1, times19(t6)), plus(t2, times19(t7)), plus(t3, times19(t8)),
            plus(t4, times19(t9))};
  }

  VG_INLINE Product multiply(const Operand& a, const Operand& b) {
    const V zero = _mm512_setzero_si512();
    V t0 = low(zero, a.l0, b.l0);
    V t1 = twice(high(zero, a.l0, b.l0));
    V t2 = twice(high(high(zero, a.l0, b.l1), a.l1, b.l0));
    V t3 = twice(high(high(high(zero, a.l0, b.l2), a.l1, b.l1), a.l2, b.l0));
    V t4 = twice(high(high(high(high(zero, a.l0, b.l3), a.l1, b.l2), a.l2, b.l1), a.l3, b.l0));
    V t5 =
        twice(high(high(high(high(high(zero, a.l0, b.l4), a.l1, b.l3), a.l2, b.l2), a.l3, b.l1), a.l4, b.l0));
    V t6 = twice(high(high(high(high(zero, a.l1, b.l4), a.l2, b.l3), a.l3, b.l2), a.l4, b.l1));
    V t7 = twice(high(high(high(zero, a.l2, b.l4), a.l3, b.l3), a.l4, b.l2));
    V t8 = twice(high(high(zero, a.l3, b.l4), a.l4, b.l3));
    V t9 = twice(high(zero, a.l4, b.l4));
    t1 = low(low(t1, a.l0, b.l1), a.l1, b.l0);
    t2 = low(low(low(t2, a.l0, b.l2), a.l1, b.l1), a.l2, b.l0);
    t3 = low(low(low(low(t3, a.l0, b.l3), a.l1, b.l2), a.l2, b.l1), a.l3, b.l0);
    t4 = low(low(low(low(low(t4, a.l0, b.l4), a.l1, b.l3), a.l2, b.l2), a.l3, b.l1), a.l4, b.l0);
    t5 = low(low(low(low(t5, a.l1, b.l4), a.l2, b.l3), a.l3, b.l2), a.l4, b.l1);
    t6 = low(low(low(t6, a.l2, b.l4), a.l3, b.l3), a.l4, b.l2);
    t7 = low(low(t7, a.l3, b.l4), a.l4, b.l3);
    t8 = low(t8, a.l4, b.l4);
    return fold(t0, t1, t2, t3, t4, t5, t6, t7, t8, t9);
  }

  /// square: limb k = 2 * (cross lows of k + diagonal high of k - 1 + 2 * cross highs of k - 1) + diagonal
  /// low.
  VG_INLINE Product square(const Operand& a) {
    const V zero = _mm512_setzero_si512();
    V t2 = twice(high(zero, a.l0, a.l1));
    V t3 = twice(high(zero, a.l0, a.l2));
    V t4 = twice(high(high(zero, a.l0, a.l3), a.l1, a.l2));
    V t5 = twice(high(high(zero, a.l0, a.l4), a.l1, a.l3));
    V t6 = twice(high(high(zero, a.l1, a.l4), a.l2, a.l3));
    V t7 = twice(high(zero, a.l2, a.l4));
    V t8 = twice(high(zero, a.l3, a.l4));
    const V t0 = low(zero, a.l0, a.l0);
    const V t1 = twice(low(high(zero, a.l0, a.l0), a.l0, a.l1));
    t2 = low(twice(low(t2, a.l0, a.l2)), a.l1, a.l1);
    t3 = twice(low(low(high(t3, a.l1, a.l1), a.l0, a.l3), a.l1, a.l2));
    t4 = low(twice(low(low(t4, a.l0, a.l4), a.l1, a.l3)), a.l2, a.l2);
    t5 = twice(low(low(high(t5, a.l2, a.l2), a.l1, a.l4), a.l2, a.l3));
    t6 = low(twice(low(t6, a.l2, a.l4)), a.l3, a.l3);
    t7 = twice(low(high(t7, a.l3, a.l3), a.l3, a.l4));
    t8 = low(twice(t8), a.l4, a.l4);
    const V t9 = twice(high(zero, a.l4, a.l4));
    return fold(t0, t1, t2, t3, t4, t5, t6, t7, t8, t9);
  }

  /// add_a24 is a + 121665 e.
  VG_INLINE Operand add_a24(const Product& a, const Operand& e) {
    const V zero = _mm512_setzero_si512(), k = constant(121665);
    const V h0 = twice(high(zero, e.l0, k)), h1 = twice(high(zero, e.l1, k)), h2 = twice(high(zero, e.l2, k)),
            h3 = twice(high(zero, e.l3, k)), h4 = twice(high(zero, e.l4, k));
    return carry(low(low(a.l0, e.l0, k), h4, constant(19)), plus(low(a.l1, e.l1, k), h0),
                 plus(low(a.l2, e.l2, k), h1), plus(low(a.l3, e.l3, k), h2), plus(low(a.l4, e.l4, k), h3));
  }

  VG_INLINE Operand select(const Operand& a, const Operand& b, Mask take_b) {
    return {_mm512_mask_blend_epi64(take_b, a.l0, b.l0), _mm512_mask_blend_epi64(take_b, a.l1, b.l1),
            _mm512_mask_blend_epi64(take_b, a.l2, b.l2), _mm512_mask_blend_epi64(take_b, a.l3, b.l3),
            _mm512_mask_blend_epi64(take_b, a.l4, b.l4)};
  }
  VG_INLINE Product select_product(const Product& a, const Product& b, Mask take_b) {
    return {_mm512_mask_blend_epi64(take_b, a.l0, b.l0), _mm512_mask_blend_epi64(take_b, a.l1, b.l1),
            _mm512_mask_blend_epi64(take_b, a.l2, b.l2), _mm512_mask_blend_epi64(take_b, a.l3, b.l3),
            _mm512_mask_blend_epi64(take_b, a.l4, b.l4)};
  }

  VG_INLINE Mask bit(const Scalar& k, int t) {
    return _mm512_test_epi64_mask(k.word[t / 64], constant(std::uint64_t{1} << (t % 64)));
  }
  VG_INLINE Mask differ(Mask a, Mask b) { return _kxor_mask8(a, b); }

  /// load_words reads 32 bytes of each lane; lanes beyond `used` repeat the last row.
  static void load_words(const std::byte* rows, std::size_t stride, std::size_t used, V* words) {
    alignas(64) std::uint64_t transposed[4][8];
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const auto* row = rows + (lane < used ? lane : used - 1) * stride;
      for (std::size_t w = 0; w < 4; ++w) __builtin_memcpy(&transposed[w][lane], row + 8 * w, 8);
    }
    for (std::size_t w = 0; w < 4; ++w) words[w] = _mm512_load_si512(transposed[w]);
    ladder::Curve<Field>::wipe(transposed, sizeof transposed);
  }

  static Scalar load_scalar(const std::byte* rows, std::size_t stride, std::size_t used) {
    Scalar k;
    load_words(rows, stride, used, k.word);
    k.word[0] = _mm512_and_si512(k.word[0], constant(~std::uint64_t{7}));
    k.word[3] = _mm512_or_si512(_mm512_and_si512(k.word[3], constant(~std::uint64_t{0} >> 1)),
                                constant(std::uint64_t{1} << 62));
    return k;
  }

  static Operand load(const std::byte* rows, std::size_t stride, std::size_t used) {
    V w[4];
    load_words(rows, stride, used, w);
    const V m = mask51();
    const auto join = [&](V left, unsigned right_shift, V right, unsigned left_shift) {
      return _mm512_and_si512(
          _mm512_or_si512(_mm512_srli_epi64(left, right_shift), _mm512_slli_epi64(right, left_shift)), m);
    };
    return {_mm512_and_si512(w[0], m), join(w[0], 51, w[1], 13), join(w[1], 38, w[2], 26),
            join(w[2], 25, w[3], 39), _mm512_and_si512(_mm512_srli_epi64(w[3], 12), m)};
  }

  /// canonical carries one limb after another, twice, then subtracts p if the value is p or more.
  static Operand canonical(Operand a) {
    const V m = mask51(), nineteen = constant(19);
    V* const limb[5] = {&a.l0, &a.l1, &a.l2, &a.l3, &a.l4};
    const auto chain = [&](V in) {
      for (auto* l : limb) {
        *l = plus(*l, in);
        in = _mm512_srli_epi64(*l, 51);
        *l = _mm512_and_si512(*l, m);
      }
      return in;
    };
    V out = chain(_mm512_setzero_si512());
    out = chain(low(_mm512_setzero_si512(), out, nineteen));
    a.l0 = low(a.l0, out, nineteen);  // the value is below 2^255 now, and below p + 19 if this carried
    V q = nineteen;
    for (const auto* l : limb) q = _mm512_srli_epi64(plus(*l, q), 51);
    chain(low(_mm512_setzero_si512(), q, nineteen));
    return a;
  }

  static Mask zero_mask(const Operand& a) {
    const V any =
        _mm512_or_si512(_mm512_or_si512(_mm512_or_si512(a.l0, a.l1), _mm512_or_si512(a.l2, a.l3)), a.l4);
    return _mm512_testn_epi64_mask(any, any);
  }
  static Mask is_zero(const Operand& a) { return zero_mask(canonical(a)); }

  /// store writes `used` rows, zeros where `forced`, and returns the mask of rows that are zero.
  static std::uint64_t store(std::byte* rows, std::size_t stride, std::size_t used, const Operand& value,
                             Mask forced) {
    const Operand a = canonical(value);
    const Mask zeros = static_cast<Mask>(zero_mask(a) | forced);
    const Mask keep = static_cast<Mask>(~forced);
    const auto join = [&](V left, unsigned right_shift, V right, unsigned left_shift) {
      return _mm512_maskz_or_epi64(keep, _mm512_srli_epi64(left, right_shift),
                                   _mm512_slli_epi64(right, left_shift));
    };
    alignas(64) std::uint64_t transposed[4][8];
    _mm512_store_si512(transposed[0], join(a.l0, 0, a.l1, 51));
    _mm512_store_si512(transposed[1], join(a.l1, 13, a.l2, 38));
    _mm512_store_si512(transposed[2], join(a.l2, 26, a.l3, 25));
    _mm512_store_si512(transposed[3], join(a.l3, 39, a.l4, 12));
    for (std::size_t lane = 0; lane < used; ++lane) {
      for (std::size_t w = 0; w < 4; ++w)
        __builtin_memcpy(rows + lane * stride + 8 * w, &transposed[w][lane], 8);
    }
    ladder::Curve<Field>::wipe(transposed, sizeof transposed);
    return zeros & ((1U << used) - 1);
  }
};

}  // namespace

std::uint64_t x25519_kernel_ifma(const X25519Job& job) { return ladder::Curve<Field>::run(job); }

}  // namespace village::crypto
#else
namespace village::crypto {
std::uint64_t x25519_kernel_ifma(const X25519Job&) { __builtin_trap(); }  // never chosen: not compiled for it
}  // namespace village::crypto
#endif
