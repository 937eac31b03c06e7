// Ed25519 by libsodium: no allocation, and strict verification (canonical S, no small-order key or R).
#include "village/crypto/ed25519.hpp"

#include <sodium.h>

#include "crypto/field25519.hpp"
#include "village/base/check.hpp"

namespace village::crypto {
namespace {

/// start picks libsodium's implementations for this CPU; threads may race for it.
void start() {
  static const bool started = sodium_init() >= 0;
  VG_CHECK(started);
}

/// is_canonical: y, without the sign bit, is below p = 2^255 - 19. libsodium reduces instead, and one key
/// would then have two encodings, hence two node ids.
bool is_canonical(const Ed25519Public& key) {
  if ((key[31] & std::byte{0x7f}) != std::byte{0x7f}) return true;
  for (std::size_t i = 1; i < 31; ++i) {
    if (key[i] != std::byte{0xff}) return true;
  }
  return key[0] < std::byte{0xed};
}

/// mapped is u = (1 + y) / (1 - y) of a key that is known to be good: 2 us, where libsodium's map takes 29
/// to look at the key's order and a multiplication of the base point takes 22.
X25519Public mapped(const Ed25519Public& key) {
  using portable::Field;
  constexpr Field::Operand one{1, 0, 0, 0, 0};
  const auto y = Field::load(key.data(), 0, 1);
  const auto inverse = ladder::Curve<Field>::inverse(Field::multiply(Field::sub(one, y), one));
  X25519Public u;
  (void)Field::store(u.data(), 0, 1, Field::multiply(Field::add(one, y), inverse), 0);
  return u;
}

}  // namespace

Ed25519KeyPair Ed25519KeyPair::from_seed(Ed25519Seed seed) {
  start();
  Ed25519Public public_key;
  Secret<crypto_sign_ed25519_SECRETKEYBYTES> expanded;
  VG_CHECK(crypto_sign_ed25519_seed_keypair(octets(ByteSpan{public_key}), octets(ByteSpan{expanded.fill()}),
                                            octets(ByteView{seed.view()})) == 0);
  return {std::move(seed), public_key};
}

Ed25519KeyPair Ed25519KeyPair::generate(RandomSource& random) {
  Ed25519Seed seed;
  random.fill(seed.fill());
  return from_seed(std::move(seed));
}

Ed25519Signature Ed25519KeyPair::sign(ByteView message) const {
  start();
  // A public key that is not the seed's would give the private key away (two signatures, one nonce).
  VG_DCHECK(from_seed(seed.clone()).public_key == public_key);
  Secret<crypto_sign_ed25519_SECRETKEYBYTES> expanded;
  const auto halves = expanded.fill();
  std::copy(seed.view().begin(), seed.view().end(), halves.begin());
  std::copy(public_key.begin(), public_key.end(), halves.begin() + 32);
  Ed25519Signature signature;
  VG_CHECK(crypto_sign_ed25519_detached(octets(ByteSpan{signature}), nullptr, octets(message), message.size(),
                                        octets(ByteView{halves})) == 0);
  return signature;
}

X25519KeyPair Ed25519KeyPair::x25519() const {
  start();
  X25519Private private_key;
  VG_CHECK(crypto_sign_ed25519_sk_to_curve25519(octets(ByteSpan{private_key.fill()}),
                                                octets(ByteView{seed.view()})) == 0);
  X25519KeyPair pair{std::move(private_key), mapped(public_key)};
  VG_DCHECK(X25519KeyPair::from_private(pair.private_key.clone()).public_key == pair.public_key);
  return pair;
}

bool verify(const Ed25519Public& key, ByteView message, const Ed25519Signature& signature) {
  start();
  return crypto_sign_ed25519_verify_detached(octets(ByteView{signature}), octets(message), message.size(),
                                             octets(ByteView{key})) == 0;
}

Result<X25519Public> x25519_public(const Ed25519Public& key) {
  start();
  X25519Public mapped;
  if (!is_canonical(key) ||
      crypto_sign_ed25519_pk_to_curve25519(octets(ByteSpan{mapped}), octets(ByteView{key})) != 0) {
    return fail(Errc::bad_key);
  }
  return mapped;
}

}  // namespace village::crypto
