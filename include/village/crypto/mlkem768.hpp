#pragma once
// ML-KEM-768, the key encapsulation of FIPS 203: whoever knows the encapsulation key makes a shared secret
// and a ciphertext; the decapsulation key turns that ciphertext into the same secret. A ciphertext that
// nobody made honestly gives a secret that only the decapsulation key knows (implicit rejection), never an
// error.
//
// Nothing here branches, indexes or divides by secrets. The arithmetic runs on AVX2 where the CPU has it;
// with OpenSSL 3.5 or newer its own ML-KEM is used instead.
#include <memory>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {

inline constexpr std::size_t mlkem768_public_bytes = 1184;
inline constexpr std::size_t mlkem768_private_bytes = 2400;
inline constexpr std::size_t mlkem768_ciphertext_bytes = 1088;
inline constexpr std::size_t mlkem768_shared_bytes = 32;

using MlkemPublic = ByteArray<mlkem768_public_bytes>;          ///< encapsulation key
using MlkemCiphertext = ByteArray<mlkem768_ciphertext_bytes>;  ///< for the holder of the key
using MlkemShared = Secret<mlkem768_shared_bytes>;
using MlkemSeed = Secret<64>;        ///< d | z: the shortest form of a decapsulation key
using MlkemRandomness = Secret<32>;  ///< m: what an encapsulation is made from

/// MlkemPrivate is an expanded decapsulation key, one allocation of 2,400 bytes, wiped with the object. Keep
/// the seed instead where memory counts more than the few microseconds of from_seed.
class MlkemPrivate {
 public:
  /// from_seed is ML-KEM.KeyGen_internal(d, z).
  static MlkemPrivate from_seed(const MlkemSeed& seed);
  static MlkemPrivate generate(RandomSource& random);
  /// from_bytes takes the 2,400 bytes of FIPS 203. Errors: bad_key (length, or the hash inside does not match
  /// the encapsulation key inside: 7.3).
  static Result<MlkemPrivate> from_bytes(ByteView bytes);

  /// public_key is a view into this object.
  std::span<const std::byte, mlkem768_public_bytes> public_key() const;
  const Secret<mlkem768_private_bytes>& bytes() const { return *bytes_; }

  /// decapsulate gives the shared secret of any 1,088 bytes. Errors: bad_key (length).
  Result<MlkemShared> decapsulate(ByteView ciphertext) const;

 private:
  MlkemPrivate() : bytes_{std::make_unique<Secret<mlkem768_private_bytes>>()} {}
  std::unique_ptr<Secret<mlkem768_private_bytes>> bytes_;
};

/// mlkem768_encapsulate makes a secret for the holder of `key`, from a peer's bytes. Errors: bad_key (length,
/// or a coefficient that is not below the modulus: FIPS 203 7.2).
Result<MlkemShared> mlkem768_encapsulate(ByteView key, MlkemCiphertext& ciphertext, RandomSource& random);
/// The same from given randomness, for published vectors: ML-KEM.Encaps_internal(ek, m) behind the check.
Result<MlkemShared> mlkem768_encapsulate(ByteView key, MlkemCiphertext& ciphertext,
                                         const MlkemRandomness& randomness);

/// mlkem768_implementation names what runs in this process: "openssl", "avx2", "portable".
const char* mlkem768_implementation();

}  // namespace village::crypto
