// A VRF proof from a peer: key 32 | proof 80 | input. Whatever the bytes, verification ends in an output or
// an error; an output is what the proof itself stands for, and what any other proof for that key and input
// would give. Each proof is tried under the case's key and under one of ours.
#include <algorithm>

#include "village/base/check.hpp"
#include "village/crypto/vrf.hpp"

using namespace village;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto own = crypto::VrfKeyPair::from_seed(crypto::Secret<32>{});
  const auto bytes = as_bytes(data, size);
  if (bytes.size() < 32) return 0;
  crypto::Ed25519Public key;
  std::copy_n(bytes.begin(), key.size(), key.begin());
  const auto proof = bytes.subspan(32, std::min(bytes.size() - 32, crypto::vrf_proof_bytes));
  const auto input = bytes.subspan(32 + proof.size());
  const auto stands_for = crypto::vrf_output(proof);
  for (const auto& used : {key, own.public_key}) {
    const auto output = crypto::vrf_verify(used, input, proof);
    if (output) {
      VG_CHECK(stands_for && *stands_for == *output);
    }
    if (output && used == own.public_key) {
      const auto made = crypto::vrf_output(own.prove(input));
      VG_CHECK(made && *made == *output);
    }
  }
  return 0;
}
