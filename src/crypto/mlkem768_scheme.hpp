#pragma once
// ML-KEM-768 over any kernel, with every random input as an argument. Source: FIPS 203 sections 5 and 6.
#include "crypto/mlkem768_kernel.hpp"
#include "village/crypto/mlkem768.hpp"

namespace village::crypto {

using MlkemPrivateView = std::span<const std::byte, mlkem768_private_bytes>;
using MlkemPublicView = std::span<const std::byte, mlkem768_public_bytes>;
using MlkemCiphertextView = std::span<const std::byte, mlkem768_ciphertext_bytes>;

/// mlkem_expand is K-PKE.KeyGen behind its first hash, and the rest of ML-KEM.KeyGen: `rho` is public,
/// `sigma` and `z` are not. Writes the 2,400 bytes of a decapsulation key.
void mlkem_expand(const MlkemKernel& kernel, std::span<const std::byte, 32> rho,
                  std::span<const std::byte, 32> sigma, std::span<const std::byte, 32> z,
                  std::span<std::byte, mlkem768_private_bytes> out);
/// mlkem_generate is ML-KEM.KeyGen_internal of d | z.
void mlkem_generate(const MlkemKernel& kernel, std::span<const std::byte, 64> seed,
                    std::span<std::byte, mlkem768_private_bytes> out);

/// mlkem_key_is_reduced is the modulus check of 7.2.
bool mlkem_key_is_reduced(MlkemPublicView key);
/// mlkem_key_is_whole is the hash check of 7.3.
bool mlkem_key_is_whole(MlkemPrivateView key);

/// mlkem_encapsulate is ML-KEM.Encaps_internal.
void mlkem_encapsulate(const MlkemKernel& kernel, MlkemPublicView key, std::span<const std::byte, 32> message,
                       std::span<std::byte, mlkem768_ciphertext_bytes> ciphertext,
                       std::span<std::byte, 32> shared);
/// mlkem_decapsulate is ML-KEM.Decaps_internal, implicit rejection included.
void mlkem_decapsulate(const MlkemKernel& kernel, MlkemPrivateView key, MlkemCiphertextView ciphertext,
                       std::span<std::byte, 32> shared);

}  // namespace village::crypto
