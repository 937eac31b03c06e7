#pragma once
// Who does ML-KEM-768 in this build: OpenSSL from 3.5 on, else the tree's own scheme over the active kernel.
#include "crypto/mlkem768_scheme.hpp"
#include "village/base/error.hpp"

namespace village::crypto::mlkem_backend {

const char* name();
void generate(std::span<const std::byte, 64> seed, std::span<std::byte, mlkem768_private_bytes> out);
/// `key` passed the modulus check. Errors: bad_key, if OpenSSL refuses the key all the same.
Result<void> encapsulate(MlkemPublicView key, std::span<const std::byte, 32> message,
                         std::span<std::byte, mlkem768_ciphertext_bytes> ciphertext,
                         std::span<std::byte, 32> shared);
/// Errors: as encapsulate.
Result<void> decapsulate(MlkemPrivateView key, MlkemCiphertextView ciphertext,
                         std::span<std::byte, 32> shared);

}  // namespace village::crypto::mlkem_backend
