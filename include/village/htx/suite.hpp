#pragma once
// Suites: the Noise protocol and the AEAD behind each suite number. Source: htx.md 4.2.
#include <optional>
#include <string_view>

#include "village/crypto/aead.hpp"
#include "village/htx/types.hpp"

namespace village::htx {

struct SuiteInfo {
  Suite suite;
  std::string_view noise_name;
  crypto::AeadAlgorithm algorithm;
  bool psk;     ///< needs HandshakeSettings::psk
  bool hybrid;  ///< X25519 and ML-KEM-768: safe from a later quantum computer
};

/// suite_info looks a suite number up; nullptr if there is no such suite.
const SuiteInfo* suite_info(Suite suite);

/// is_supported tells whether this build can run the suite.
bool is_supported(Suite suite);

}  // namespace village::htx
