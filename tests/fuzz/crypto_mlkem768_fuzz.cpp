// ML-KEM-768 on outside bytes: every kernel must accept, refuse and answer alike.
//
//   byte 0   % 3: 0 encapsulation key, 1 ciphertext for a fixed key, 2 decapsulation key (used on a fixed
//            ciphertext)        rest   the bytes, cut or padded with zeros to the right length if bit 7 is
//            set
#include <algorithm>
#include <cstdint>

#include "crypto/mlkem768_scheme.hpp"
#include "village/base/check.hpp"
#include "village/base/random.hpp"

using namespace village;
using namespace village::crypto;

namespace {

const MlkemPrivate& fixed_key() {
  static const auto key = [] {
    SeededRandom random{1};
    return MlkemPrivate::generate(random);
  }();
  return key;
}

void decapsulate(const MlkemPrivate& key, ByteView ciphertext) {
  const auto shared = key.decapsulate(ciphertext);
  VG_CHECK(shared.has_value() == (ciphertext.size() == mlkem768_ciphertext_bytes));
  if (!shared) return;
  for (const auto* kernel : {&portable_kernel(), &active_kernel()}) {
    ByteArray<32> own;
    mlkem_decapsulate(*kernel, key.bytes().view(), ciphertext.first<mlkem768_ciphertext_bytes>(), own);
    VG_CHECK(equal(own, shared->view()));
  }
}

void encapsulate(ByteView key) {
  MlkemCiphertext ciphertext;
  const MlkemRandomness message;
  const auto shared = mlkem768_encapsulate(key, ciphertext, message);
  const bool sound = key.size() == mlkem768_public_bytes && mlkem_key_is_reduced(key.first<1184>());
  VG_CHECK(shared.has_value() == sound);
  if (!shared) return;
  for (const auto* kernel : {&portable_kernel(), &active_kernel()}) {
    MlkemCiphertext own;
    ByteArray<32> secret;
    mlkem_encapsulate(*kernel, key.first<1184>(), message.view(), own, secret);
    VG_CHECK(own == ciphertext && equal(secret, shared->view()));
  }
}

void read_private(ByteView bytes) {
  static const auto ciphertext = [] {
    SeededRandom random{2};
    MlkemCiphertext made;
    VG_CHECK(mlkem768_encapsulate(fixed_key().public_key(), made, random).has_value());
    return made;
  }();
  if (const auto key = MlkemPrivate::from_bytes(bytes)) decapsulate(*key, ciphertext);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::size_t lengths[] = {mlkem768_public_bytes, mlkem768_ciphertext_bytes,
                                     mlkem768_private_bytes};
  const std::size_t kind = (data[0] & 0x7f) % 3;
  auto bytes = to_bytes(as_bytes(data + 1, size - 1));
  if ((data[0] & 0x80) != 0) bytes.resize(lengths[kind]);
  if (kind == 0) encapsulate(bytes);
  if (kind == 1) decapsulate(fixed_key(), bytes);
  if (kind == 2) read_private(bytes);
  return 0;
}
