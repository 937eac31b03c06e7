#pragma once
// X25519 written once for every kernel: the ladder, the inversion and the batch, over a field of lanes.
//
// Each kernel file defines, in an anonymous namespace, a field F of `lanes` independent elements and includes
// this header; the templates are instantiated with a type of internal linkage, so that code compiled for one
// instruction set never replaces another file's at link time. Nothing of the standard library is used here
// for the same reason.
//
// F has two kinds of element. A Product is what a multiplication leaves (unreduced in the IFMA field), an
// Operand is what a multiplication takes; add, sub and reduce turn the first into the second. A kernel whose
// sums need no carry makes them the same type. The formulas below are arranged so that every sum is taken of
// Products: 11 carries a step instead of 19 with IFMA.
//
// The ladder is RFC 7748's with the conditional swap replaced by a selection: the differential addition of a
// step is the same for either order of its inputs, so only the point to be doubled is selected, half the
// work of a swap. The state is D (doubled last) and S (the sum); bit b of the scalar says which of them is
// R0 = kP and which R1 = (k + 1)P. Bit 254 is always set, so the ladder starts at (P, 2P), and bits 0 to 2
// are always clear, so it ends in three doublings without additions.
//
// No branch and no address depends on scalars or points.
#include <cstddef>
#include <cstdint>

#define VG_INLINE [[gnu::always_inline]] static inline

namespace village::crypto {

/// X25519Job is one batch for a kernel: `count` (1 to vectors_max * lanes) rows at the given distances.
struct X25519Job {
  const std::byte* scalars;
  std::size_t scalar_stride;  ///< 0: one scalar for all
  const std::byte* points;
  std::size_t point_stride;
  std::byte* out;
  std::size_t out_stride;
  std::size_t count;
};

/// A kernel returns the mask of rows whose result is zero. Bit i is row i.
std::uint64_t x25519_kernel_portable(const X25519Job& job);
std::uint64_t x25519_kernel_avx2(const X25519Job& job);
std::uint64_t x25519_kernel_ifma(const X25519Job& job);

namespace ladder {

template <class F>
struct Curve {
  using Operand = typename F::Operand;
  using Product = typename F::Product;
  struct Point {
    Product x, z;
  };

  VG_INLINE Point doubled(const Operand& sum, const Operand& difference) {
    const Product aa = F::square(sum), bb = F::square(difference);
    const Operand e = F::sub(aa, bb);
    return {F::multiply(F::reduce(aa), F::reduce(bb)), F::multiply(e, F::add_a24(aa, e))};
  }

  VG_INLINE Point doubled(const Point& p) { return doubled(F::add(p.x, p.z), F::sub(p.x, p.z)); }

  VG_INLINE void step(Point& d, Point& s, const Operand& u, typename F::Mask take_s) {
    const Operand a = F::add(d.x, d.z), b = F::sub(d.x, d.z);
    const Operand c = F::add(s.x, s.z), e = F::sub(s.x, s.z);
    const Product da = F::multiply(e, a), cb = F::multiply(c, b);
    s.x = F::square(F::add(da, cb));
    s.z = F::multiply(u, F::reduce(F::square(F::sub(da, cb))));
    d = doubled(F::select(a, c, take_s), F::select(b, e, take_s));
  }

  /// multiply gives k * u in projective form.
  [[gnu::noinline]] static Point multiply(const typename F::Scalar& k, const Operand& u) {
    Point s{F::widen(u), F::one()};
    Point d = doubled(s);
    auto last = F::bit(k, 254);
    for (int t = 253; t >= 3; --t) {
      const auto bit = F::bit(k, t);
      step(d, s, u, F::differ(bit, last));
      last = bit;
    }
    // R0 is D after a clear bit, S after a set one.
    Point r{F::select_product(d.x, s.x, last), F::select_product(d.z, s.z, last)};
    for (int t = 0; t < 3; ++t) r = doubled(r);
    return r;
  }

  static Operand times(const Operand& a, const Operand& b) { return F::reduce(F::multiply(a, b)); }

  static Operand squared(Operand a, int times) {
    for (int i = 0; i < times; ++i) a = F::reduce(F::square(a));
    return a;
  }

  /// inverse is a^(p - 2): 254 squarings and 11 multiplications.
  [[gnu::noinline]] static Operand inverse(const Operand& a) {
    const Operand a2 = squared(a, 1);
    const Operand a9 = times(squared(a2, 2), a);
    const Operand a11 = times(a9, a2);
    const Operand x5 = times(squared(a11, 1), a9);  // 2^5 - 1
    const Operand x10 = times(squared(x5, 5), x5);
    const Operand x20 = times(squared(x10, 10), x10);
    const Operand x40 = times(squared(x20, 20), x20);
    const Operand x50 = times(squared(x40, 10), x10);
    const Operand x100 = times(squared(x50, 50), x50);
    const Operand x200 = times(squared(x100, 100), x100);
    const Operand x250 = times(squared(x200, 50), x50);
    return times(squared(x250, 5), a11);  // 2^255 - 21
  }

  /// run computes a batch of at most 64 rows: the ladders one after another, then one inversion for all by
  /// Montgomery's trick. A zero denominator (low-order point) would spoil the column of its lane: it is
  /// replaced by one, and the row's result forced to zero.
  static std::uint64_t run(const X25519Job& job) {
    constexpr std::size_t vectors_max = 64 / F::lanes;
    Operand x[vectors_max], z[vectors_max], product[vectors_max];
    typename F::Mask zero[vectors_max];
    Operand total = F::reduce(F::one());
    const std::size_t vectors = (job.count + F::lanes - 1) / F::lanes;
    for (std::size_t v = 0; v < vectors; ++v) {
      const auto first = v * F::lanes;
      const auto left = job.count - first;
      const auto used = left < F::lanes ? left : F::lanes;
      auto scalar = F::load_scalar(job.scalars + first * job.scalar_stride, job.scalar_stride, used);
      const Point p =
          multiply(scalar, F::load(job.points + first * job.point_stride, job.point_stride, used));
      wipe(&scalar, sizeof scalar);
      x[v] = F::reduce(p.x);
      zero[v] = F::is_zero(F::reduce(p.z));
      z[v] = F::select(F::reduce(p.z), F::reduce(F::one()), zero[v]);
      total = times(total, z[v]);
      product[v] = total;
    }
    Operand inverted = inverse(total);
    std::uint64_t zeros = 0;
    for (std::size_t v = vectors; v-- > 0;) {
      const Operand own = v == 0 ? inverted : times(inverted, product[v - 1]);
      inverted = times(inverted, z[v]);
      const auto first = v * F::lanes;
      const auto left = job.count - first;
      const auto used = left < F::lanes ? left : F::lanes;
      const Operand result = times(x[v], own);
      zeros |= F::store(job.out + first * job.out_stride, job.out_stride, used, result, zero[v]) << first;
    }
    wipe(x, sizeof x);
    wipe(z, sizeof z);
    wipe(product, sizeof product);
    wipe(&total, sizeof total);
    return zeros;
  }

  static void wipe(void* memory, std::size_t size) {
    __builtin_memset(memory, 0, size);
    asm volatile("" : : "r"(memory) : "memory");  // the compiler must believe that somebody reads it
  }
};

}  // namespace ladder
}  // namespace village::crypto
