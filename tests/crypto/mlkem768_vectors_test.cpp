// ML-KEM-768: ACVP, CCTV and Wycheproof files, and our own known answers; each runs on the public functions
// and on every kernel.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "crypto/mlkem768_codec.hpp"
#include "crypto/mlkem768_scheme.hpp"
#include "support/vectors.hpp"
#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/keccak.hpp"
#include "village/crypto/mlkem768.hpp"

namespace village::crypto {
namespace {

using nlohmann::json;

Bytes field(const json& test, const char* name) { return test::hex(test.at(name).get<std::string>()); }
std::string hex_of(const json& test, const char* name) { return to_hex(field(test, name)); }

/// expect_if compares with a field that not every file has.
void expect_if(const json& test, const char* name, const std::string& value) {
  if (test.contains(name)) {
    EXPECT_EQ(value, hex_of(test, name)) << name;
  }
}

std::vector<const MlkemKernel*> kernels() {
  std::vector<const MlkemKernel*> all{&portable_kernel()};
  if (avx2_kernel() != nullptr) all.push_back(avx2_kernel());
  return all;
}

template <std::size_t N>
std::span<const std::byte, N> exactly(ByteView bytes) {
  VG_CHECK(bytes.size() == N);
  return bytes.first<N>();
}

MlkemPrivate key_of(ByteView seed) {
  for (const auto* kernel : kernels()) {
    Secret<mlkem768_private_bytes> key;
    mlkem_generate(*kernel, exactly<64>(seed), key.fill());
    EXPECT_TRUE(equal(key, MlkemPrivate::from_seed(MlkemSeed{exactly<64>(seed)}).bytes())) << kernel->name;
  }
  return MlkemPrivate::from_seed(MlkemSeed{exactly<64>(seed)});
}

struct Encapsulated {
  std::string ciphertext, shared;
};

std::optional<Encapsulated> encapsulated(ByteView key, ByteView message) {
  MlkemCiphertext ciphertext;
  const auto shared = mlkem768_encapsulate(key, ciphertext, MlkemRandomness{exactly<32>(message)});
  if (!shared) return std::nullopt;
  for (const auto* kernel : kernels()) {
    MlkemCiphertext mine;
    ByteArray<32> secret;
    mlkem_encapsulate(*kernel, exactly<mlkem768_public_bytes>(key), exactly<32>(message), mine, secret);
    EXPECT_EQ(to_hex(mine), to_hex(ciphertext)) << kernel->name;
    EXPECT_EQ(to_hex(secret), to_hex(shared->view())) << kernel->name;
  }
  return Encapsulated{to_hex(ciphertext), to_hex(shared->view())};
}

std::optional<std::string> decapsulated(const MlkemPrivate& key, ByteView ciphertext) {
  const auto shared = key.decapsulate(ciphertext);
  if (!shared) return std::nullopt;
  for (const auto* kernel : kernels()) {
    ByteArray<32> mine;
    mlkem_decapsulate(*kernel, key.bytes().view(), exactly<mlkem768_ciphertext_bytes>(ciphertext), mine);
    EXPECT_EQ(to_hex(mine), to_hex(shared->view())) << kernel->name;
  }
  return to_hex(shared->view());
}

TEST(MlkemVectors, AcvpKeyGeneration) {
  VG_VECTORS(text, "tls/mlkem/acvp_keyGen_2_768.json");
  const auto file = json::parse(text);
  for (const auto& test : file.at("tests")) {
    auto seed = field(test, "d");
    const auto z = field(test, "z");
    seed.insert(seed.end(), z.begin(), z.end());
    const auto key = key_of(seed);
    EXPECT_EQ(to_hex(key.public_key()), hex_of(test, "expected_ek"));
    EXPECT_EQ(to_hex(key.bytes().view()), hex_of(test, "expected_dk"));
  }
  EXPECT_FALSE(file.at("tests").empty());
}

TEST(MlkemVectors, AcvpEncapsulation) {
  VG_VECTORS(text, "tls/mlkem/acvp_encapDecap_encapsulation_2_768.json");
  const auto file = json::parse(text);
  for (const auto& test : file.at("tests")) {
    const auto made = encapsulated(field(test, "ek"), field(test, "m"));
    ASSERT_TRUE(made);
    EXPECT_EQ(made->ciphertext, hex_of(test, "expected_c"));
    EXPECT_EQ(made->shared, hex_of(test, "expected_k"));
  }
  EXPECT_FALSE(file.at("tests").empty());
}

TEST(MlkemVectors, AcvpDecapsulation) {
  VG_VECTORS(text, "tls/mlkem/acvp_encapDecap_decapsulation_5_768.json");
  const auto file = json::parse(text);
  const auto key = MlkemPrivate::from_bytes(field(file, "dk")).value();
  for (const auto& test : file.at("tests")) {
    EXPECT_EQ(decapsulated(key, field(test, "c")), hex_of(test, "expected_k"));
  }
  EXPECT_FALSE(file.at("tests").empty());
}

/// lines_of reads "name = value" and "name = other name = value"; the first value of a name counts.
std::map<std::string, std::string> lines_of(const std::string& text) {
  std::map<std::string, std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) {
    const std::string equals = " = ";
    const auto value_at = line.rfind(equals);
    if (value_at == line.npos) continue;
    const auto value = line.substr(value_at + equals.size());
    for (auto names = line.substr(0, value_at); !names.empty();) {
      const auto end = std::min(names.find(equals), names.size());
      lines.emplace(names.substr(0, end), value);
      names.erase(0, std::min(end + equals.size(), names.size()));
    }
  }
  return lines;
}
Bytes line(const std::map<std::string, std::string>& lines, const std::string& name) {
  const auto found = lines.find(name);
  VG_CHECK(found != lines.end());
  return test::hex(found->second);
}

Bytes encoded(std::span<const Polynomial> polynomials) {
  Bytes out(polynomials.size() * mlkem_polynomial_bytes);
  for (std::size_t i = 0; i < polynomials.size(); ++i) {
    encode_12(polynomials[i],
              ByteSpan{out}.subspan(i * mlkem_polynomial_bytes).first<mlkem_polynomial_bytes>());
  }
  return out;
}

/// cctv_key is the key of "d" and "z". Files older than the final standard hash d without the rank behind it;
/// the end of "ek", which is rho, tells which of the two it is.
MlkemPrivate cctv_key(const std::map<std::string, std::string>& lines) {
  constexpr std::byte rank{3};
  const auto d = line(lines, "d"), z = line(lines, "z"), public_key = line(lines, "ek");
  for (const auto suffix : {ByteView{&rank, 1}, ByteView{}}) {
    ByteArray<64> seeds;
    sha3_512({d, suffix}, seeds);
    const auto view = std::span<const std::byte, 64>{seeds};
    if (!std::ranges::equal(view.first<32>(), ByteView{public_key}.last(32))) continue;
    Secret<mlkem768_private_bytes> key, other;
    mlkem_expand(portable_kernel(), view.first<32>(), view.last<32>(), exactly<32>(z), key.fill());
    mlkem_expand(active_kernel(), view.first<32>(), view.last<32>(), exactly<32>(z), other.fill());
    EXPECT_TRUE(equal(key, other));
    return MlkemPrivate::from_bytes(key.view()).value();
  }
  VG_CHECK(false);
}

TEST(MlkemVectors, CctvIntermediateValues) {
  VG_VECTORS(text, "tls/mlkem/cctv_intermediate_768.txt");
  const auto lines = lines_of(text);
  for (const auto* kernel : kernels()) {
    SCOPED_TRACE(kernel->name);
    Matrix matrix;
    kernel->sample_matrix(exactly<32>(line(lines, "ρ")), false, matrix);
    EXPECT_EQ(to_hex(encoded(matrix)), to_hex(line(lines, "A")));
    kernel->sample_matrix(exactly<32>(line(lines, "ρ")), true, matrix);
    EXPECT_EQ(to_hex(encoded(matrix)), to_hex(line(lines, "A^T")));
    std::array<Polynomial, 6> noise;
    kernel->sample_noise(exactly<32>(line(lines, "σ")), 0, noise);
    EXPECT_EQ(to_hex(encoded(std::span{noise}.first(3))), to_hex(line(lines, "s")));
    EXPECT_EQ(to_hex(encoded(std::span{noise}.last(3))), to_hex(line(lines, "e")));
    for (auto& each : noise) kernel->transform(each);
    EXPECT_EQ(to_hex(encoded(std::span{noise}.first(3))), to_hex(line(lines, "NTT(s)")));
    EXPECT_EQ(to_hex(encoded(std::span{noise}.last(3))), to_hex(line(lines, "NTT(e)")));
  }
  const auto key = cctv_key(lines);
  EXPECT_EQ(to_hex(key.bytes().view()), to_hex(line(lines, "dk")));
  const auto made = encapsulated(line(lines, "ek"), line(lines, "m"));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->ciphertext, to_hex(line(lines, "c")));
  EXPECT_EQ(made->shared, to_hex(line(lines, "K")));
  EXPECT_EQ(decapsulated(key, line(lines, "c")), to_hex(line(lines, "K")));
}

TEST(MlkemVectors, CctvComparisonOfWholeCiphertexts) {
  VG_VECTORS(text, "tls/mlkem/cctv_strcmp_768.txt");
  const auto lines = lines_of(text);
  const auto key = MlkemPrivate::from_bytes(line(lines, "dk")).value();
  EXPECT_EQ(decapsulated(key, line(lines, "c")), to_hex(line(lines, "K")));
}

TEST(MlkemVectors, CctvUnluckySampling) {
  VG_VECTORS(text, "tls/mlkem/cctv_unluckysample_768.txt");
  const auto lines = lines_of(text);
  const auto key = cctv_key(lines);
  EXPECT_EQ(to_hex(key.public_key()), to_hex(line(lines, "ek")));
  EXPECT_EQ(to_hex(key.bytes().view()), to_hex(line(lines, "dk")));
  const auto made = encapsulated(line(lines, "ek"), line(lines, "m"));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->ciphertext, to_hex(line(lines, "c")));
  EXPECT_EQ(decapsulated(key, line(lines, "c")), to_hex(line(lines, "K")));
}

/// run_encapsulation: a key that is wrong in length or modulus must be refused.
void run_encapsulation(const json& test, bool valid) {
  const auto made = encapsulated(field(test, "ek"), field(test, "m"));
  ASSERT_EQ(made.has_value(), valid);
  if (!valid) return;
  EXPECT_EQ(made->ciphertext, hex_of(test, "c"));
  EXPECT_EQ(made->shared, hex_of(test, "K"));
}

void run_key_generation(const json& test, bool valid) {
  const auto seed = field(test, "seed");
  ASSERT_EQ(seed.size() == 64, valid);
  if (!valid) return;
  const auto key = key_of(seed);
  EXPECT_EQ(to_hex(key.public_key()), hex_of(test, "ek"));
  expect_if(test, "dk", to_hex(key.bytes().view()));
}

/// run_decapsulation from the seed ("seed") or from an expanded key ("dk").
void run_decapsulation(const json& test, bool valid) {
  std::optional<MlkemPrivate> key;
  if (test.contains("seed")) {
    const auto seed = field(test, "seed");
    if (seed.size() == 64) key = key_of(seed);
  } else if (auto read = MlkemPrivate::from_bytes(field(test, "dk"))) {
    key = std::move(*read);
  }
  const auto shared = key ? decapsulated(*key, field(test, "c")) : std::nullopt;
  ASSERT_EQ(shared.has_value(), valid);
  if (!valid) return;
  expect_if(test, "ek", to_hex(key->public_key()));
  expect_if(test, "K", *shared);
}

void run_wycheproof(const std::string& text) {
  const auto file = json::parse(text);
  std::size_t count = 0;
  for (const auto& group : file.at("testGroups")) {
    ASSERT_EQ(group.at("parameterSet"), "ML-KEM-768");
    const auto type = group.at("type").get<std::string>();
    for (const auto& test : group.at("tests")) {
      SCOPED_TRACE(type + " tcId " + test.at("tcId").dump());
      const bool valid = test.at("result") == "valid";
      if (type == "MLKEMEncapsTest") {
        run_encapsulation(test, valid);
      } else if (type == "MLKEMKeyGen") {
        run_key_generation(test, valid);
      } else {
        ASSERT_TRUE(type == "MLKEMTest" || type == "MLKEMDecapsValidationTest") << type;
        run_decapsulation(test, valid);
      }
      ++count;
    }
  }
  EXPECT_GT(count, 0U);
  std::printf("%zu cases\n", count);
}

class MlkemWycheproofVectors : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Files, MlkemWycheproofVectors,
                         testing::Values("tls/mlkem/wycheproof_mlkem_768_encaps_test.json",
                                         "tls/mlkem/wycheproof_mlkem_768_keygen_seed_test.json",
                                         "tls/mlkem/wycheproof_mlkem_768_semi_expanded_decaps_test.json",
                                         "tls/mlkem/wycheproof_mlkem_768_test.json",
                                         "jetstream/wycheproof_mlkem_768.json",
                                         "jetstream/wycheproof_mlkem_768_encaps.json",
                                         "jetstream/wycheproof_mlkem_768_keygen_seed.json"));
TEST_P(MlkemWycheproofVectors, AllCases) {
  VG_VECTORS(text, GetParam());
  run_wycheproof(text);
}

TEST(MlkemVectors, KnownAnswersOfHtx) {
  VG_VECTORS(text, "htx/mlkem768-kat.json");
  const auto file = json::parse(text);
  for (const auto& test : file.at("vectors")) {
    const auto key = key_of(field(test, "seed_d_z"));
    const auto made = encapsulated(key.public_key(), field(test, "m"));
    ASSERT_TRUE(made);
    EXPECT_EQ(to_hex(sha256(key.public_key())), hex_of(test, "pk_sha256"));
    EXPECT_EQ(to_hex(sha256(key.bytes().view())), hex_of(test, "dk_sha256"));
    EXPECT_EQ(to_hex(sha256(test::hex(made->ciphertext))), hex_of(test, "ct_sha256"));
    EXPECT_EQ(made->shared, hex_of(test, "ss"));
    EXPECT_EQ(decapsulated(key, test::hex(made->ciphertext)), made->shared);
    EXPECT_EQ(decapsulated(key, field(test, "bad_ct")), hex_of(test, "bad_ss_implicit_reject"));
    expect_if(test, "pk", to_hex(key.public_key()));
    expect_if(test, "dk", to_hex(key.bytes().view()));
    expect_if(test, "ct", made->ciphertext);
  }
  EXPECT_FALSE(file.at("vectors").empty());
}

}  // namespace
}  // namespace village::crypto
