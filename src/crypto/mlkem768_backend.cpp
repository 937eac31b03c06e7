#include "crypto/mlkem768_backend.hpp"

#include <openssl/opensslv.h>

#if OPENSSL_VERSION_NUMBER >= 0x30500000L

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/openssl_handle.hpp"
#include "village/base/check.hpp"

namespace village::crypto::mlkem_backend {
namespace {

constexpr const char* algorithm = "ML-KEM-768";

OSSL_PARAM octet_param(const char* parameter, ByteView bytes) {
  // OpenSSL's constructor takes non-const memory for both directions; here it only reads.
  return OSSL_PARAM_construct_octet_string(parameter, const_cast<std::byte*>(bytes.data()), bytes.size());
}

}  // namespace

const char* name() { return "openssl"; }

void generate(std::span<const std::byte, 64> seed, std::span<std::byte, mlkem768_private_bytes> out) {
  const OSSL_PARAM params[] = {octet_param(OSSL_PKEY_PARAM_ML_KEM_SEED, seed), OSSL_PARAM_construct_end()};
  const PkeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr)};
  VG_CHECK(context != nullptr && EVP_PKEY_keygen_init(context.get()) == 1);
  VG_CHECK(EVP_PKEY_CTX_set_params(context.get(), params) == 1);
  EVP_PKEY* made = nullptr;
  VG_CHECK(EVP_PKEY_generate(context.get(), &made) == 1);
  const Pkey key{made};
  auto size = out.size();
  VG_CHECK(EVP_PKEY_get_raw_private_key(key.get(), octets(ByteSpan{out}), &size) == 1 && size == out.size());
}

Result<void> encapsulate(MlkemPublicView key, std::span<const std::byte, 32> message,
                         std::span<std::byte, mlkem768_ciphertext_bytes> ciphertext,
                         std::span<std::byte, 32> shared) {
  const QuietErrors quiet;
  const Pkey peer{EVP_PKEY_new_raw_public_key_ex(nullptr, algorithm, nullptr, octets(key), key.size())};
  if (peer == nullptr) return fail(Errc::bad_key);
  const OSSL_PARAM params[] = {octet_param(OSSL_KEM_PARAM_IKME, message), OSSL_PARAM_construct_end()};
  const PkeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, peer.get(), nullptr)};
  VG_CHECK(context != nullptr && EVP_PKEY_encapsulate_init(context.get(), params) == 1);
  auto ciphertext_size = ciphertext.size(), shared_size = shared.size();
  VG_CHECK(EVP_PKEY_encapsulate(context.get(), octets(ByteSpan{ciphertext}), &ciphertext_size,
                                octets(ByteSpan{shared}), &shared_size) == 1);
  VG_CHECK(ciphertext_size == ciphertext.size() && shared_size == shared.size());
  return ok();
}

Result<void> decapsulate(MlkemPrivateView key, MlkemCiphertextView ciphertext,
                         std::span<std::byte, 32> shared) {
  const QuietErrors quiet;
  const Pkey own{EVP_PKEY_new_raw_private_key_ex(nullptr, algorithm, nullptr, octets(key), key.size())};
  if (own == nullptr) return fail(Errc::bad_key);
  const PkeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr)};
  VG_CHECK(context != nullptr && EVP_PKEY_decapsulate_init(context.get(), nullptr) == 1);
  auto size = shared.size();
  VG_CHECK(EVP_PKEY_decapsulate(context.get(), octets(ByteSpan{shared}), &size, octets(ByteView{ciphertext}),
                                ciphertext.size()) == 1);
  VG_CHECK(size == shared.size());
  return ok();
}

}  // namespace village::crypto::mlkem_backend

#else

namespace village::crypto::mlkem_backend {

const char* name() { return active_kernel().name; }

void generate(std::span<const std::byte, 64> seed, std::span<std::byte, mlkem768_private_bytes> out) {
  mlkem_generate(active_kernel(), seed, out);
}

Result<void> encapsulate(MlkemPublicView key, std::span<const std::byte, 32> message,
                         std::span<std::byte, mlkem768_ciphertext_bytes> ciphertext,
                         std::span<std::byte, 32> shared) {
  mlkem_encapsulate(active_kernel(), key, message, ciphertext, shared);
  return ok();
}

Result<void> decapsulate(MlkemPrivateView key, MlkemCiphertextView ciphertext,
                         std::span<std::byte, 32> shared) {
  mlkem_decapsulate(active_kernel(), key, ciphertext, shared);
  return ok();
}

}  // namespace village::crypto::mlkem_backend

#endif
