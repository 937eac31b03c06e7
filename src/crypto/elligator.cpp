// The map of RFC 9380 sections 6.7.1 and 6.8.2. On curve25519, y^2 = g(x) = x^3 + A x^2 + x with A = 486662:
// of x1 = -A / (1 + 2 u^2) and x2 = -x1 - A one has a square g. libsodium's crypto_core_ed25519_from_uniform
// has the same x but takes the sign of the result from its input, so it is another map.
#include "crypto/elligator.hpp"

#include "crypto/field25519.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {
namespace {

using portable::Field;
using Fe = Field::Operand;
using Curve = ladder::Curve<Field>;

constexpr Fe one{1, 0, 0, 0, 0}, zero{0, 0, 0, 0, 0};
constexpr Fe minus_a{0x7fffffff892e7, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff};
/// sqrt(-486664), the even root: what scales curve25519 to edwards25519.
constexpr Fe scale{0x604aaff457e06, 0x2296fa350598d, 0x7f13dfb16874f, 0x35de93d846e01, 0xf26edf460a00};
constexpr Fe sqrt_minus_one{0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
                            0x2b8324804fc1d};

Fe times(const Fe& a, const Fe& b) { return Field::multiply(a, b); }
Fe square(const Fe& a) { return Field::square(a); }
/// reduced gives limbs that may enter any further sum.
Fe add(const Fe& a, const Fe& b) { return Field::multiply(Field::add(a, b), one); }
Fe sub(const Fe& a, const Fe& b) { return Field::multiply(Field::sub(a, b), one); }

/// power is a^(2^252 - 3), from which square roots and the quadratic character follow.
Fe power(const Fe& a) {
  const Fe a2 = square(a);
  const Fe a9 = times(Curve::squared(a2, 2), a);
  const Fe x5 = times(square(times(a9, a2)), a9);  // 2^5 - 1
  const Fe x10 = times(Curve::squared(x5, 5), x5);
  const Fe x20 = times(Curve::squared(x10, 10), x10);
  const Fe x40 = times(Curve::squared(x20, 20), x20);
  const Fe x50 = times(Curve::squared(x40, 10), x10);
  const Fe x100 = times(Curve::squared(x50, 50), x50);
  const Fe x200 = times(Curve::squared(x100, 100), x100);
  const Fe x250 = times(Curve::squared(x200, 50), x50);
  return times(Curve::squared(x250, 2), a);
}

Field::Mask is_equal(const Fe& a, const Fe& b) { return Field::is_zero(sub(a, b)); }
/// is_square holds for zero too: a^((p - 1) / 2) is 1 or 0.
Field::Mask is_square(const Fe& a) {
  const Fe character = times(Curve::squared(power(a), 2), square(a));
  return is_equal(character, one) | Field::is_zero(character);
}
/// root of a square.
Fe root(const Fe& a) {
  const Fe r = times(power(a), a);  // a^((p + 3) / 8), of which the square is a or -a
  return Field::select(times(r, sqrt_minus_one), r, is_equal(square(r), a));
}
Field::Mask is_odd(const Fe& a) { return Field::opaque(std::uint64_t{0} - (Field::canonical(a).l0 & 1)); }

/// load_uniform reduces 384 bits: 2^255 = 19, 2^256 = 38.
Fe load_uniform(std::span<const std::byte, 48> uniform) {
  ByteArray<64> little{};
  for (std::size_t i = 0; i < 48; ++i) little[i] = uniform[47 - i];
  const Fe low = Field::load(little.data(), 0, 1), high = Field::load(little.data() + 32, 0, 1);
  const auto top = std::to_integer<std::uint64_t>(little[31]) >> 7;
  wipe(little);
  return add(add(low, Fe{19 * top, 0, 0, 0, 0}), times(high, Fe{38, 0, 0, 0, 0}));
}

}  // namespace

ByteArray<32> elligator_edwards25519(std::span<const std::byte, 48> uniform) {
  const Fe u = load_uniform(uniform);
  const Fe u2 = square(u);
  // 1 + 2 u^2 is never zero: -1/2 is no square.
  const Fe x1 = times(minus_a, Curve::inverse(add(one, add(u2, u2))));
  const Fe x2 = add(sub(zero, x1), minus_a);
  const auto g = [](const Fe& x) { return times(x, add(times(x, sub(x, minus_a)), one)); };
  const Fe g1 = g(x1);
  const auto first = is_square(g1);
  const Fe x = Field::select(x2, x1, first);
  Fe y = root(Field::select(g(x2), g1, first));
  y = Field::select(sub(zero, y), y, ~(is_odd(y) ^ first));  // odd for x1, even for x2
  // (scale x / y, (x - 1) / (x + 1)); where a denominator is zero, the identity.
  const Fe x_plus_1 = add(x, one);
  const Fe denominators = times(y, x_plus_1);
  const Fe inverse = Curve::inverse(denominators);
  const Fe edwards_x = times(times(scale, x), times(inverse, x_plus_1));
  const Fe edwards_y = times(sub(x, one), times(inverse, y));
  ByteArray<32> encoded;
  Field::store(encoded.data(), 0, 1, Field::select(edwards_y, one, Field::is_zero(denominators)), 0);
  encoded[31] |= static_cast<std::byte>(is_odd(edwards_x) & 0x80);
  return encoded;
}

}  // namespace village::crypto
