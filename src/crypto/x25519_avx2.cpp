// X25519 for four lanes with AVX2: ten limbs of alternately 26 and 25 bits (radix 2^25.5), four elements in
// one register for each limb. VPMULUDQ multiplies the low 32 bits of each 64-bit lane.
//
// Bounds (even, odd limbs): a multiplication leaves limbs < 2^26 + 2^14, 2^25 + 2^14; sums < 2^27.01,
// 2^26.01; differences (2p is added) < 2^27.6, 2^26.6. 19 times such a limb is < 2^31.9, so sums need no
// carry before a multiplication, and ten products with all factors stay < 2^63.
#include "crypto/x25519_ladder.hpp"

#if defined(__AVX2__)
#include <immintrin.h>

namespace village::crypto {
namespace {

using V = __m256i;

struct Field {
  static constexpr std::size_t lanes = 4;
  struct Operand {
    V l0, l1, l2, l3, l4, l5, l6, l7, l8, l9;
  };
  using Product = Operand;
  using Mask = __m256i;  ///< each lane all ones or zero
  struct Scalar {
    V word[4];
  };

  VG_INLINE V constant(std::uint64_t value) { return _mm256_set1_epi64x(static_cast<long long>(value)); }
  VG_INLINE V times(V a, V b) { return _mm256_mul_epu32(a, b); }
  VG_INLINE V plus(V a, V b) { return _mm256_add_epi64(a, b); }
  VG_INLINE V twice(V a) { return _mm256_add_epi64(a, a); }
  VG_INLINE V times19(V a) { return _mm256_mul_epu32(a, constant(19)); }
  template <class... Rest>
  VG_INLINE V plus(V a, V b, Rest... rest) {
    return plus(plus(a, b), rest...);
  }

  VG_INLINE Operand reduce(const Product& a) { return a; }
  VG_INLINE Product widen(const Operand& a) { return a; }
  VG_INLINE Product one() {
    const V zero = _mm256_setzero_si256();
    return {constant(1), zero, zero, zero, zero, zero, zero, zero, zero, zero};
  }
  VG_INLINE Operand add(const Product& a, const Product& b) {
    return {plus(a.l0, b.l0), plus(a.l1, b.l1), plus(a.l2, b.l2), plus(a.l3, b.l3), plus(a.l4, b.l4),
            plus(a.l5, b.l5), plus(a.l6, b.l6), plus(a.l7, b.l7), plus(a.l8, b.l8), plus(a.l9, b.l9)};
  }
  VG_INLINE V minus(V a, V bias, V b) { return _mm256_sub_epi64(_mm256_add_epi64(a, bias), b); }
  VG_INLINE Operand sub(const Product& a, const Product& b) {
    const V p0 = constant((1U << 27) - 38), odd = constant((1U << 26) - 2), even = constant((1U << 27) - 2);
    return {minus(a.l0, p0, b.l0),   minus(a.l1, odd, b.l1), minus(a.l2, even, b.l2), minus(a.l3, odd, b.l3),
            minus(a.l4, even, b.l4), minus(a.l5, odd, b.l5), minus(a.l6, even, b.l6), minus(a.l7, odd, b.l7),
            minus(a.l8, even, b.l8), minus(a.l9, odd, b.l9)};
  }

  template <int bits>
  VG_INLINE void pass(V& from, V& to) {
    to = plus(to, _mm256_srli_epi64(from, bits));
    from = _mm256_and_si256(from, constant((std::uint64_t{1} << bits) - 1));
  }
  /// carry runs two chains at a time, to halve the wait. Limbs < 2^63.
  VG_INLINE Product carry(Product r) {
    pass<26>(r.l0, r.l1), pass<26>(r.l4, r.l5);
    pass<25>(r.l1, r.l2), pass<25>(r.l5, r.l6);
    pass<26>(r.l2, r.l3), pass<26>(r.l6, r.l7);
    pass<25>(r.l3, r.l4), pass<25>(r.l7, r.l8);
    pass<26>(r.l4, r.l5), pass<26>(r.l8, r.l9);
    // The carry out of limb 9 can have 38 bits: 19 of it by shifts.
    const V c = _mm256_srli_epi64(r.l9, 25);
    r.l9 = _mm256_and_si256(r.l9, constant((1U << 25) - 1));
    r.l0 = plus(r.l0, c, twice(c), _mm256_slli_epi64(c, 4));
    pass<26>(r.l0, r.l1);
    return r;
  }

  /// hold makes the compiler finish one row before it begins the next. Ten sums, one factor and one product
  /// fit the sixteen registers, with the other factors read from memory as they are used; left alone, the
  /// compilers order the products by sum, load both factors of each, and are 40 % slower.
  VG_INLINE void hold(Product& r) {
    asm("" : "+x"(r.l0), "+x"(r.l1), "+x"(r.l2), "+x"(r.l3), "+x"(r.l4));
    asm("" : "+x"(r.l5), "+x"(r.l6), "+x"(r.l7), "+x"(r.l8), "+x"(r.l9));
  }
  /// row adds f times ten factors to the ten sums.
  VG_INLINE void row(Product& r, V f, V g0, V g1, V g2, V g3, V g4, V g5, V g6, V g7, V g8, V g9) {
    r.l0 = plus(r.l0, times(f, g0)), r.l1 = plus(r.l1, times(f, g1)), r.l2 = plus(r.l2, times(f, g2));
    r.l3 = plus(r.l3, times(f, g3)), r.l4 = plus(r.l4, times(f, g4)), r.l5 = plus(r.l5, times(f, g5));
    r.l6 = plus(r.l6, times(f, g6)), r.l7 = plus(r.l7, times(f, g7)), r.l8 = plus(r.l8, times(f, g8));
    r.l9 = plus(r.l9, times(f, g9));
    hold(r);
  }
  /// row_odd has one factor for sums of even index (twice f: odd times odd) and one for the others.
  VG_INLINE void row_odd(Product& r, V f, V g0, V g1, V g2, V g3, V g4, V g5, V g6, V g7, V g8, V g9) {
    const V d = twice(f);
    r.l0 = plus(r.l0, times(d, g0)), r.l1 = plus(r.l1, times(f, g1)), r.l2 = plus(r.l2, times(d, g2));
    r.l3 = plus(r.l3, times(f, g3)), r.l4 = plus(r.l4, times(d, g4)), r.l5 = plus(r.l5, times(f, g5));
    r.l6 = plus(r.l6, times(d, g6)), r.l7 = plus(r.l7, times(f, g7)), r.l8 = plus(r.l8, times(d, g8));
    r.l9 = plus(r.l9, times(f, g9));
    hold(r);
  }

  VG_INLINE Product multiply(const Operand& f, const Operand& g) {
    const V n1 = times19(g.l1), n2 = times19(g.l2), n3 = times19(g.l3), n4 = times19(g.l4),
            n5 = times19(g.l5), n6 = times19(g.l6), n7 = times19(g.l7), n8 = times19(g.l8),
            n9 = times19(g.l9);
    Product r{times(f.l0, g.l0), times(f.l0, g.l1), times(f.l0, g.l2), times(f.l0, g.l3), times(f.l0, g.l4),
              times(f.l0, g.l5), times(f.l0, g.l6), times(f.l0, g.l7), times(f.l0, g.l8), times(f.l0, g.l9)};
    hold(r);
    row_odd(r, f.l1, n9, g.l0, g.l1, g.l2, g.l3, g.l4, g.l5, g.l6, g.l7, g.l8);
    row(r, f.l2, n8, n9, g.l0, g.l1, g.l2, g.l3, g.l4, g.l5, g.l6, g.l7);
    row_odd(r, f.l3, n7, n8, n9, g.l0, g.l1, g.l2, g.l3, g.l4, g.l5, g.l6);
    row(r, f.l4, n6, n7, n8, n9, g.l0, g.l1, g.l2, g.l3, g.l4, g.l5);
    row_odd(r, f.l5, n5, n6, n7, n8, n9, g.l0, g.l1, g.l2, g.l3, g.l4);
    row(r, f.l6, n4, n5, n6, n7, n8, n9, g.l0, g.l1, g.l2, g.l3);
    row_odd(r, f.l7, n3, n4, n5, n6, n7, n8, n9, g.l0, g.l1, g.l2);
    row(r, f.l8, n2, n3, n4, n5, n6, n7, n8, n9, g.l0, g.l1);
    row_odd(r, f.l9, n1, n2, n3, n4, n5, n6, n7, n8, n9, g.l0);
    return carry(r);
  }

  VG_INLINE Product square(const Operand& f) {
    const V d0 = twice(f.l0), d1 = twice(f.l1), d3 = twice(f.l3), d5 = twice(f.l5), d7 = twice(f.l7);
    const V n5 = times19(f.l5), n6 = times19(f.l6), n7 = times19(f.l7), n8 = times19(f.l8),
            n9 = times19(f.l9);
    const V m7 = twice(n7), m9 = twice(n9);  // below 2^32: odd limbs
    Product r{times(f.l0, f.l0), times(d0, f.l1), times(d0, f.l2), times(d0, f.l3), times(d0, f.l4),
              times(d0, f.l5),   times(d0, f.l6), times(d0, f.l7), times(d0, f.l8), times(d0, f.l9)};
    hold(r);
    r.l2 = plus(r.l2, times(d1, f.l1)), r.l3 = plus(r.l3, times(d1, f.l2)), r.l4 = plus(r.l4, times(d1, d3)),
    r.l5 = plus(r.l5, times(d1, f.l4)), r.l6 = plus(r.l6, times(d1, d5)), r.l7 = plus(r.l7, times(d1, f.l6)),
    r.l8 = plus(r.l8, times(d1, d7)), r.l9 = plus(r.l9, times(d1, f.l8)), r.l0 = plus(r.l0, times(d1, m9));
    hold(r);
    const V d2 = twice(f.l2);
    r.l4 = plus(r.l4, times(f.l2, f.l2)), r.l5 = plus(r.l5, times(d2, f.l3)),
    r.l6 = plus(r.l6, times(d2, f.l4)), r.l7 = plus(r.l7, times(d2, f.l5)),
    r.l8 = plus(r.l8, times(d2, f.l6)), r.l9 = plus(r.l9, times(d2, f.l7)), r.l0 = plus(r.l0, times(d2, n8)),
    r.l1 = plus(r.l1, times(d2, n9));
    hold(r);
    r.l6 = plus(r.l6, times(d3, f.l3)), r.l7 = plus(r.l7, times(d3, f.l4)), r.l8 = plus(r.l8, times(d3, d5)),
    r.l9 = plus(r.l9, times(d3, f.l6)), r.l0 = plus(r.l0, times(d3, m7)), r.l1 = plus(r.l1, times(d3, n8)),
    r.l2 = plus(r.l2, times(d3, m9));
    hold(r);
    const V d4 = twice(f.l4);
    r.l8 = plus(r.l8, times(f.l4, f.l4)), r.l9 = plus(r.l9, times(d4, f.l5)),
    r.l0 = plus(r.l0, times(d4, n6)), r.l1 = plus(r.l1, times(d4, n7)), r.l2 = plus(r.l2, times(d4, n8)),
    r.l3 = plus(r.l3, times(d4, n9));
    hold(r);
    r.l0 = plus(r.l0, times(d5, n5)), r.l1 = plus(r.l1, times(d5, n6)), r.l2 = plus(r.l2, times(d5, m7)),
    r.l3 = plus(r.l3, times(d5, n8)), r.l4 = plus(r.l4, times(d5, m9));
    hold(r);
    const V d6 = twice(f.l6);
    r.l2 = plus(r.l2, times(f.l6, n6)), r.l3 = plus(r.l3, times(d6, n7)), r.l4 = plus(r.l4, times(d6, n8)),
    r.l5 = plus(r.l5, times(d6, n9));
    hold(r);
    r.l4 = plus(r.l4, times(d7, n7)), r.l5 = plus(r.l5, times(d7, n8)), r.l6 = plus(r.l6, times(d7, m9));
    hold(r);
    const V d8 = twice(f.l8);
    r.l6 = plus(r.l6, times(f.l8, n8)), r.l7 = plus(r.l7, times(d8, n9));
    hold(r);
    const V d9 = twice(f.l9);
    r.l8 = plus(r.l8, times(d9, n9));
    return carry(r);
  }

  VG_INLINE Operand add_a24(const Product& a, const Operand& e) {
    const V k = constant(121665);
    return carry({plus(a.l0, times(e.l0, k)), plus(a.l1, times(e.l1, k)), plus(a.l2, times(e.l2, k)),
                  plus(a.l3, times(e.l3, k)), plus(a.l4, times(e.l4, k)), plus(a.l5, times(e.l5, k)),
                  plus(a.l6, times(e.l6, k)), plus(a.l7, times(e.l7, k)), plus(a.l8, times(e.l8, k)),
                  plus(a.l9, times(e.l9, k))});
  }

  VG_INLINE V pick(V a, V b, Mask take_b) { return _mm256_blendv_epi8(a, b, take_b); }
  VG_INLINE Operand select(const Operand& a, const Operand& b, Mask m) {
    return {pick(a.l0, b.l0, m), pick(a.l1, b.l1, m), pick(a.l2, b.l2, m), pick(a.l3, b.l3, m),
            pick(a.l4, b.l4, m), pick(a.l5, b.l5, m), pick(a.l6, b.l6, m), pick(a.l7, b.l7, m),
            pick(a.l8, b.l8, m), pick(a.l9, b.l9, m)};
  }
  VG_INLINE Product select_product(const Product& a, const Product& b, Mask m) { return select(a, b, m); }

  VG_INLINE Mask bit(const Scalar& k, int t) {
    const V shifted = _mm256_srl_epi64(k.word[t / 64], _mm_cvtsi32_si128(t % 64));
    return _mm256_sub_epi64(_mm256_setzero_si256(), _mm256_and_si256(shifted, constant(1)));
  }
  VG_INLINE Mask differ(Mask a, Mask b) { return _mm256_xor_si256(a, b); }

  /// load_words reads 32 bytes of each lane; lanes beyond `used` repeat the last row.
  static void load_words(const std::byte* rows, std::size_t stride, std::size_t used, V* words) {
    alignas(32) std::uint64_t transposed[4][4];
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const auto* row = rows + (lane < used ? lane : used - 1) * stride;
      for (std::size_t w = 0; w < 4; ++w) __builtin_memcpy(&transposed[w][lane], row + 8 * w, 8);
    }
    for (std::size_t w = 0; w < 4; ++w)
      words[w] = _mm256_load_si256(reinterpret_cast<const V*>(transposed[w]));
    ladder::Curve<Field>::wipe(transposed, sizeof transposed);
  }
  static Scalar load_scalar(const std::byte* rows, std::size_t stride, std::size_t used) {
    Scalar k;
    load_words(rows, stride, used, k.word);
    k.word[0] = _mm256_and_si256(k.word[0], constant(~std::uint64_t{7}));
    k.word[3] = _mm256_or_si256(_mm256_and_si256(k.word[3], constant(~std::uint64_t{0} >> 1)),
                                constant(std::uint64_t{1} << 62));
    return k;
  }
  template <int shift, int bits>
  VG_INLINE V part(V word) {
    return _mm256_and_si256(_mm256_srli_epi64(word, shift), constant((1U << bits) - 1));
  }
  template <int right, int left, int bits>
  VG_INLINE V join(V low, V high) {
    return _mm256_and_si256(_mm256_or_si256(_mm256_srli_epi64(low, right), _mm256_slli_epi64(high, left)),
                            constant((1U << bits) - 1));
  }
  /// load: limbs begin at bits 0, 26, 51, 77, 102, 128, 153, 179, 204, 230; bit 255 is dropped.
  static Operand load(const std::byte* rows, std::size_t stride, std::size_t used) {
    V w[4];
    load_words(rows, stride, used, w);
    return {part<0, 26>(w[0]),  part<26, 25>(w[0]),           join<51, 13, 26>(w[0], w[1]),
            part<13, 25>(w[1]), part<38, 26>(w[1]),           part<0, 25>(w[2]),
            part<25, 26>(w[2]), join<51, 13, 25>(w[2], w[3]), part<12, 26>(w[3]),
            part<38, 25>(w[3])};
  }

  /// canonical carries one limb after another, twice, then subtracts p if the value is p or more.
  static Operand canonical(Operand a) {
    V* const limb[10] = {&a.l0, &a.l1, &a.l2, &a.l3, &a.l4, &a.l5, &a.l6, &a.l7, &a.l8, &a.l9};
    const auto bits = [](int i) { return _mm_cvtsi32_si128(i % 2 == 0 ? 26 : 25); };
    const auto chain = [&](V in) {
      for (int i = 0; i < 10; ++i) {
        *limb[i] = plus(*limb[i], in);
        in = _mm256_srl_epi64(*limb[i], bits(i));
        *limb[i] = _mm256_and_si256(*limb[i], constant((std::uint64_t{1} << (i % 2 == 0 ? 26 : 25)) - 1));
      }
      return in;
    };
    V out = chain(_mm256_setzero_si256());
    out = chain(times19(out));
    a.l0 = plus(a.l0, times19(out));
    V q = constant(19);
    for (int i = 0; i < 10; ++i) q = _mm256_srl_epi64(plus(*limb[i], q), bits(i));
    chain(times19(q));
    return a;
  }
  static Mask zero_mask(const Operand& a) {
    const V any = _mm256_or_si256(
        _mm256_or_si256(_mm256_or_si256(a.l0, a.l1), _mm256_or_si256(a.l2, a.l3)),
        _mm256_or_si256(_mm256_or_si256(_mm256_or_si256(a.l4, a.l5), _mm256_or_si256(a.l6, a.l7)),
                        _mm256_or_si256(a.l8, a.l9)));
    return _mm256_cmpeq_epi64(any, _mm256_setzero_si256());
  }
  static Mask is_zero(const Operand& a) { return zero_mask(canonical(a)); }

  template <int left>
  VG_INLINE V up(V a) {
    return _mm256_slli_epi64(a, left);
  }
  /// store writes `used` rows, zeros where `forced`, and returns the mask of rows that are zero.
  static std::uint64_t store(std::byte* rows, std::size_t stride, std::size_t used, const Operand& value,
                             Mask forced) {
    const Operand a = canonical(value);
    const V words[4] = {
        _mm256_or_si256(_mm256_or_si256(a.l0, up<26>(a.l1)), up<51>(a.l2)),
        _mm256_or_si256(_mm256_or_si256(_mm256_srli_epi64(a.l2, 13), up<13>(a.l3)), up<38>(a.l4)),
        _mm256_or_si256(_mm256_or_si256(a.l5, up<25>(a.l6)), up<51>(a.l7)),
        _mm256_or_si256(_mm256_or_si256(_mm256_srli_epi64(a.l7, 13), up<12>(a.l8)), up<38>(a.l9))};
    alignas(32) std::uint64_t transposed[4][4];
    for (std::size_t w = 0; w < 4; ++w)
      _mm256_store_si256(reinterpret_cast<V*>(transposed[w]), _mm256_andnot_si256(forced, words[w]));
    for (std::size_t lane = 0; lane < used; ++lane) {
      for (std::size_t w = 0; w < 4; ++w)
        __builtin_memcpy(rows + lane * stride + 8 * w, &transposed[w][lane], 8);
    }
    ladder::Curve<Field>::wipe(transposed, sizeof transposed);
    const V zeros = _mm256_or_si256(zero_mask(a), forced);
    return static_cast<std::uint64_t>(_mm256_movemask_pd(_mm256_castsi256_pd(zeros))) & ((1U << used) - 1);
  }
};

}  // namespace

std::uint64_t x25519_kernel_avx2(const X25519Job& job) { return ladder::Curve<Field>::run(job); }

}  // namespace village::crypto
#else
namespace village::crypto {
std::uint64_t x25519_kernel_avx2(const X25519Job&) { __builtin_trap(); }  // never chosen: not compiled for it
}  // namespace village::crypto
#endif
