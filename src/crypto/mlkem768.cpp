#include "village/crypto/mlkem768.hpp"

#include <algorithm>

#include "crypto/mlkem768_backend.hpp"
#include "crypto/mlkem768_scheme.hpp"

namespace village::crypto {

MlkemPrivate MlkemPrivate::from_seed(const MlkemSeed& seed) {
  MlkemPrivate key;
  mlkem_backend::generate(seed.view(), key.bytes_->fill());
  return key;
}

MlkemPrivate MlkemPrivate::generate(RandomSource& random) {
  MlkemSeed seed;
  random.fill(seed.fill());
  return from_seed(seed);
}

Result<MlkemPrivate> MlkemPrivate::from_bytes(ByteView bytes) {
  if (bytes.size() != mlkem768_private_bytes) return fail(Errc::bad_key, bytes.size());
  const auto whole = bytes.first<mlkem768_private_bytes>();
  if (!mlkem_key_is_whole(whole)) return fail(Errc::bad_key);
  MlkemPrivate key;
  std::ranges::copy(whole, key.bytes_->fill().begin());
  return key;
}

std::span<const std::byte, mlkem768_public_bytes> MlkemPrivate::public_key() const {
  constexpr auto at = mlkem768_private_bytes - 64 - mlkem768_public_bytes;
  return bytes_->view().subspan<at, mlkem768_public_bytes>();
}

Result<MlkemShared> MlkemPrivate::decapsulate(ByteView ciphertext) const {
  if (ciphertext.size() != mlkem768_ciphertext_bytes) return fail(Errc::bad_key, ciphertext.size());
  MlkemShared shared;
  VG_TRY_VOID(mlkem_backend::decapsulate(bytes_->view(), ciphertext.first<mlkem768_ciphertext_bytes>(),
                                         shared.fill()));
  return shared;
}

Result<MlkemShared> mlkem768_encapsulate(ByteView key, MlkemCiphertext& ciphertext,
                                         const MlkemRandomness& randomness) {
  if (key.size() != mlkem768_public_bytes) return fail(Errc::bad_key, key.size());
  const auto whole = key.first<mlkem768_public_bytes>();
  if (!mlkem_key_is_reduced(whole)) return fail(Errc::bad_key);
  MlkemShared shared;
  VG_TRY_VOID(mlkem_backend::encapsulate(whole, randomness.view(), ciphertext, shared.fill()));
  return shared;
}

Result<MlkemShared> mlkem768_encapsulate(ByteView key, MlkemCiphertext& ciphertext, RandomSource& random) {
  MlkemRandomness randomness;
  random.fill(randomness.fill());
  return mlkem768_encapsulate(key, ciphertext, randomness);
}

const char* mlkem768_implementation() { return mlkem_backend::name(); }

}  // namespace village::crypto
