// Wycheproof: AEAD, HKDF and X25519 files of the C2SP project, in any folder that has them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/base/check.hpp"
#include "village/crypto/aead.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/secret.hpp"
#include "village/crypto/x25519.hpp"

namespace village::crypto {
namespace {

using nlohmann::json;

/// for_each_case calls run(group, test) -> bool (false: a shape this interface does not have) and counts.
template <class Run>
void for_each_case(const std::string& text, Run run) {
  const auto file = json::parse(text);
  std::size_t ran = 0, passed_over = 0;
  for (const auto& group : file.at("testGroups")) {
    for (const auto& test : group.at("tests")) {
      SCOPED_TRACE("tcId " + test.at("tcId").dump());
      run(group, test) ? ++ran : ++passed_over;
    }
  }
  EXPECT_GT(ran, 0U) << "a file without cases proves nothing";
  std::printf("%s: %zu cases, %zu of other shapes\n", file.at("algorithm").get<std::string>().c_str(), ran,
              passed_over);
}

Bytes field(const json& test, const char* name) { return test::hex(test.at(name).get<std::string>()); }
bool is_result(const json& test, const char* result) { return test.at("result") == result; }

template <std::size_t N>
ByteArray<N> fixed(const Bytes& bytes) {
  VG_CHECK(bytes.size() == N);
  ByteArray<N> array;
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}

bool run_aead(AeadAlgorithm algorithm, const json& test) {
  const auto key = field(test, "key");
  const auto iv = field(test, "iv");
  auto sealed = field(test, "ct");
  const auto tag = field(test, "tag");
  if (key.size() != key_bytes(algorithm) || iv.size() != aead_nonce_bytes || tag.size() != aead_tag_bytes)
    return false;
  sealed.insert(sealed.end(), tag.begin(), tag.end());
  const auto nonce = fixed<aead_nonce_bytes>(iv);
  const auto aad = field(test, "aad");
  const auto plain = field(test, "msg");

  Opener opener{algorithm, key};
  Bytes opened(sealed.size() - aead_tag_bytes, std::byte{0xee});
  const bool valid = is_result(test, "valid");
  EXPECT_EQ(opener.open(nonce, aad, sealed, opened), valid);
  if (!valid) {
    EXPECT_TRUE(is_zero(opened));
    return true;
  }
  EXPECT_EQ(opened, plain);
  Bytes resealed(sealed.size());
  Sealer{algorithm, key}.seal(nonce, aad, plain, resealed);
  EXPECT_EQ(to_hex(resealed), to_hex(sealed));
  return true;
}

TEST(AeadVectors, WycheproofAesGcm) {
  VG_VECTORS(text, "jetstream/wycheproof_aes_gcm.json");
  for_each_case(text, [](const json& group, const json& test) {
    return run_aead(group.at("keySize") == 128 ? AeadAlgorithm::aes_128_gcm : AeadAlgorithm::aes_256_gcm,
                    test);
  });
}

TEST(AeadVectors, WycheproofChaCha20Poly1305) {
  VG_VECTORS(text, "jetstream/wycheproof_chacha20_poly1305.json");
  for_each_case(
      text, [](const json&, const json& test) { return run_aead(AeadAlgorithm::chacha20_poly1305, test); });
}

bool run_hkdf(const json&, const json& test) {
  const auto algorithm = HashAlgorithm::sha256;
  const auto size = test.at("size").get<std::size_t>();
  if (is_result(test, "invalid")) {
    EXPECT_GT(size, 255 * digest_bytes(algorithm));  // the only defect a derivation can have; a VG_CHECK here
    return size > 255 * digest_bytes(algorithm);
  }
  const auto info = field(test, "info");
  const auto key = hkdf_extract(algorithm, field(test, "salt"), field(test, "ikm"));
  Bytes out(size);
  hkdf_expand(algorithm, key.view(), {info}, out);
  EXPECT_EQ(to_hex(out), test.at("okm").get<std::string>());
  return true;
}

TEST(HkdfVectors, WycheproofSha256) {
  VG_VECTORS(text, "jetstream/wycheproof_hkdf_sha256.json");
  for_each_case(text, run_hkdf);
}

TEST(HkdfVectors, WycheproofSha256OfTls) {
  VG_VECTORS(text, "tls/wycheproof/hkdf_sha256_test.json");
  for_each_case(text, run_hkdf);
}

bool run_x25519(const json&, const json& test) {
  const auto public_bytes = field(test, "public");
  const auto private_bytes = field(test, "private");
  if (public_bytes.size() != 32 || private_bytes.size() != 32) return false;
  const X25519Private private_key{fixed<32>(private_bytes)};
  const auto shared = field(test, "shared");
  const auto computed = x25519(private_key, fixed<32>(public_bytes));
  const auto got = computed ? to_hex(computed->view()) : std::string{name(computed.error().code)};
  EXPECT_EQ(got,
            is_zero(shared) ? "bad_key" : to_hex(shared));  // zero is "acceptable" in the files; refused here
  return true;
}

TEST(X25519Vectors, WycheproofOfJet) {
  VG_VECTORS(text, "jetstream/wycheproof_x25519.json");
  for_each_case(text, run_x25519);
}

TEST(X25519Vectors, WycheproofOfMix) {
  VG_VECTORS(text, "mixnet/wycheproof_x25519.json");
  for_each_case(text, run_x25519);
}

TEST(X25519Vectors, WycheproofOfTls) {
  VG_VECTORS(text, "tls/wycheproof/x25519_test.json");
  for_each_case(text, run_x25519);
}

}  // namespace
}  // namespace village::crypto
