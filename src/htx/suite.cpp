#include "village/htx/suite.hpp"

#include "village/noise/protocol.hpp"

namespace village::htx {

using crypto::AeadAlgorithm;

const SuiteInfo* suite_info(Suite suite) {
  static constexpr SuiteInfo table[] = {
      {Suite::xk_chacha_sha256, "Noise_XK_25519_ChaChaPoly_SHA256", AeadAlgorithm::chacha20_poly1305, false,
       false},
      {Suite::xk_chacha_blake2s, "Noise_XK_25519_ChaChaPoly_BLAKE2s", AeadAlgorithm::chacha20_poly1305, false,
       false},
      {Suite::xkhfs_chacha_sha256, "Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256",
       AeadAlgorithm::chacha20_poly1305, false, true},
      {Suite::xk_aesgcm_sha256, "Noise_XK_25519_AESGCM_SHA256", AeadAlgorithm::aes_256_gcm, false, false},
      {Suite::xkhfs_aesgcm_sha256, "Noise_XKhfs_25519+MLKEM768_AESGCM_SHA256", AeadAlgorithm::aes_256_gcm,
       false, true},
      {Suite::ik_chacha_sha256, "Noise_IK_25519_ChaChaPoly_SHA256", AeadAlgorithm::chacha20_poly1305, false,
       false},
      {Suite::xkpsk3_chacha_sha256, "Noise_XKpsk3_25519_ChaChaPoly_SHA256", AeadAlgorithm::chacha20_poly1305,
       true, false},
  };
  for (const auto& info : table) {
    if (info.suite == suite) return &info;
  }
  return nullptr;
}

bool is_supported(Suite suite) {
  const auto* info = suite_info(suite);
  return info != nullptr && noise::parse_protocol(info->noise_name).has_value();
}

}  // namespace village::htx
