// ECVRF over libsodium's group; only the map to the curve is our own (elligator.cpp).
#include "village/crypto/vrf.hpp"

#include <sodium.h>

#include <algorithm>

#include "crypto/elligator.hpp"
#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"

namespace village::crypto {
namespace {

using Point = ByteArray<32>;  ///< an encoding
using Scalar = Secret<32>;

constexpr std::byte suite{0x04};
constexpr std::size_t challenge_bytes = 16;
/// The suite's domain separation: "ECVRF_" | h2c suite | suite byte, then its own length (RFC 9380 5.3.1).
constexpr std::string_view domain = "ECVRF_edwards25519_XMD:SHA-512_ELL2_NU_\x04\x28";
static_assert(domain.size() == 0x28 + 1);

void start() {
  static const bool started = sodium_init() >= 0;
  VG_CHECK(started);
}

ByteView byte(const std::byte& value) { return {&value, 1}; }

/// expand is expand_message_xmd of `key` | `input` to 48 bytes.
Secret<48> expand(const Ed25519Public& key, ByteView input) {
  static constexpr ByteArray<128> pad{};
  static constexpr std::array length{std::byte{0}, std::byte{48}, std::byte{0}};
  static constexpr std::byte first{1};
  const auto zeroth = hash(HashAlgorithm::sha512, {pad, key, input, length, as_bytes(domain)});
  const auto uniform = hash(HashAlgorithm::sha512, {zeroth.view(), byte(first), as_bytes(domain)});
  return Secret<48>{uniform.view().first<48>()};
}

/// times_8 clears the cofactor. `point` lies on the curve.
Point times_8(Point point) {
  for (int i = 0; i < 3; ++i) {
    Point twice;
    VG_CHECK(crypto_core_ed25519_add(octets(ByteSpan{twice}), octets(ByteView{point}),
                                     octets(ByteView{point})) == 0);
    point = twice;
  }
  return point;
}

/// encode_to_curve maps an input to the point H.
Point encode_to_curve(const Ed25519Public& key, ByteView input) {
  return times_8(elligator_edwards25519(expand(key, input).view()));
}

/// multiply fails for a zero scalar, and for points outside the prime-order group.
[[nodiscard]] bool multiply(Point& out, ByteView scalar, const Point& point) {
  return crypto_scalarmult_ed25519_noclamp(octets(ByteSpan{out}), octets(scalar), octets(ByteView{point})) ==
         0;
}
[[nodiscard]] bool multiply_base(Point& out, ByteView scalar) {
  return crypto_scalarmult_ed25519_base_noclamp(octets(ByteSpan{out}), octets(scalar)) == 0;
}
[[nodiscard]] bool subtract(Point& out, const Point& a, const Point& b) {
  return crypto_core_ed25519_sub(octets(ByteSpan{out}), octets(ByteView{a}), octets(ByteView{b})) == 0;
}
bool is_valid(const Point& point) { return crypto_core_ed25519_is_valid_point(octets(ByteView{point})) == 1; }

/// challenge is c, 16 bytes followed by 16 zeros: a scalar.
ByteArray<32> challenge(const Ed25519Public& key, const Point& h, const Point& gamma, const Point& u,
                        const Point& v) {
  static constexpr std::byte front{0x02}, back{0x00};
  const auto digest =
      hash(HashAlgorithm::sha512, {byte(suite), byte(front), key, h, gamma, u, v, byte(back)});
  ByteArray<32> c{};
  std::copy_n(digest.view().begin(), challenge_bytes, c.begin());
  return c;
}

/// is_below_order: s, little endian, is below q = 2^252 + 27742317777372353535851937790883648493.
bool is_below_order(std::span<const std::byte, 32> s) {
  static constexpr std::uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                             0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                             0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  for (std::size_t i = 32; i-- > 0;) {
    const auto digit = std::to_integer<std::uint8_t>(s[i]);
    if (digit != order[i]) return digit < order[i];
  }
  return false;
}

/// Proof is the three parts of a well-formed proof.
struct Proof {
  Point gamma;
  ByteArray<32> c{};  ///< 16 bytes and zeros
  ByteArray<32> s;
};

Result<Proof> parse(ByteView bytes) {
  if (bytes.size() != vrf_proof_bytes) return fail(Errc::malformed, bytes.size());
  Proof proof;
  std::copy_n(bytes.begin(), 32, proof.gamma.begin());
  std::copy_n(bytes.begin() + 32, challenge_bytes, proof.c.begin());
  std::copy_n(bytes.begin() + 48, 32, proof.s.begin());
  if (!is_below_order(proof.s)) return fail(Errc::malformed, 48);
  if (!is_valid(proof.gamma)) return fail(Errc::malformed, 0);
  return proof;
}

VrfOutput output_of(const Point& gamma) {
  static constexpr std::byte front{0x03}, back{0x00};
  const auto digest = hash(HashAlgorithm::sha512, {byte(suite), byte(front), times_8(gamma), byte(back)});
  VrfOutput output;
  std::copy_n(digest.view().begin(), output.size(), output.begin());
  return output;
}

}  // namespace

VrfKeyPair VrfKeyPair::from_seed(Secret<32> seed) {
  auto pair = Ed25519KeyPair::from_seed(std::move(seed));
  return {std::move(pair.seed), pair.public_key};
}

VrfKeyPair VrfKeyPair::generate(RandomSource& random) {
  Secret<32> seed;
  random.fill(seed.fill());
  return from_seed(std::move(seed));
}

VrfProof VrfKeyPair::prove(ByteView input) const {
  start();
  VG_DCHECK(from_seed(seed.clone()).public_key ==
            public_key);  // a foreign one would give the private key away
  // RFC 8032: the seed's hash is the private scalar, clamped, and the prefix of nonces.
  const auto halves = hash(HashAlgorithm::sha512, seed.view());
  Scalar x{halves.view().first<32>()};
  x.fill()[0] &= std::byte{0xf8};
  x.fill()[31] = (x.fill()[31] & std::byte{0x7f}) | std::byte{0x40};

  const auto h = encode_to_curve(public_key, input);
  Point gamma, u, v;
  VG_CHECK(multiply(gamma, x.view(), h));
  const auto wide = hash(HashAlgorithm::sha512, {halves.view().subspan(32), h});
  Scalar nonce, product, s;
  crypto_core_ed25519_scalar_reduce(octets(ByteSpan{nonce.fill()}), octets(wide.view()));
  VG_CHECK(multiply_base(u, nonce.view()) && multiply(v, nonce.view(), h));
  const auto c = challenge(public_key, h, gamma, u, v);
  crypto_core_ed25519_scalar_mul(octets(ByteSpan{product.fill()}), octets(ByteView{c}),
                                 octets(ByteView{x.view()}));
  crypto_core_ed25519_scalar_add(octets(ByteSpan{s.fill()}), octets(ByteView{nonce.view()}),
                                 octets(ByteView{product.view()}));
  VrfProof proof;
  std::copy(gamma.begin(), gamma.end(), proof.begin());
  std::copy_n(c.begin(), challenge_bytes, proof.begin() + 32);
  std::copy(s.view().begin(), s.view().end(), proof.begin() + 48);
  return proof;
}

Result<VrfOutput> vrf_output(ByteView bytes) {
  start();
  VG_TRY(proof, parse(bytes));
  return output_of(proof.gamma);
}

Result<VrfOutput> vrf_verify(const Ed25519Public& key, ByteView input, ByteView bytes) {
  start();
  if (!is_valid(key)) return fail(Errc::bad_key);
  VG_TRY(proof, parse(bytes));
  const auto h = encode_to_curve(key, input);
  Point s_base, c_key, s_h, c_gamma, u, v;
  const bool computed = multiply_base(s_base, proof.s) && multiply(c_key, proof.c, key) &&
                        subtract(u, s_base, c_key) && multiply(s_h, proof.s, h) &&
                        multiply(c_gamma, proof.c, proof.gamma) && subtract(v, s_h, c_gamma);
  if (!computed || !equal(challenge(key, h, proof.gamma, u, v), proof.c)) return fail(Errc::bad_signature);
  return output_of(proof.gamma);
}

}  // namespace village::crypto
