// ECVRF-EDWARDS25519-SHA512-ELL2: RFC 9381's examples, more cases, and what a verifier must refuse.
#include "village/crypto/vrf.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "support/vectors.hpp"
#include "village/base/check.hpp"

namespace village::crypto {
namespace {

using nlohmann::json;

template <std::size_t N>
ByteArray<N> array(const json& test, const char* name) {
  const auto bytes = test::hex(test.at(name).get<std::string>());
  VG_CHECK(bytes.size() == N);
  ByteArray<N> out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

std::string outcome(const Result<VrfOutput>& result) {
  return result ? to_hex(*result) : std::string{name(result.error().code)};
}

/// check_case proves and verifies one published case.
void check_case(const json& test, const char* secret, const char* public_name, const char* input) {
  const auto key = VrfKeyPair::from_seed(Secret<32>{array<32>(test, secret)});
  EXPECT_EQ(to_hex(key.public_key), test.at(public_name));
  const auto alpha = test::hex(test.at(input).get<std::string>());
  const auto proof = key.prove(alpha);
  EXPECT_EQ(to_hex(proof), test.at("pi"));
  EXPECT_EQ(outcome(vrf_output(proof)), test.at("beta"));
  EXPECT_EQ(outcome(vrf_verify(key.public_key, alpha, proof)), test.at("beta"));
  if (test.contains("bad_pi")) {
    EXPECT_FALSE(vrf_verify(key.public_key, alpha, array<vrf_proof_bytes>(test, "bad_pi")));
  }
}

void check_file(const std::string& text) {
  std::size_t ran = 0, other_suite = 0;
  const auto file = json::parse(text);
  for (const auto& test : file) {
    if (test.at("suite") != "ECVRF-EDWARDS25519-SHA512-ELL2") {
      ++other_suite;
      continue;
    }
    check_case(test, "sk", "pk", "alpha");
    ++ran;
  }
  EXPECT_GT(ran, 0U);
  std::printf("%zu cases, %zu of another suite\n", ran, other_suite);
}

TEST(VrfVectors, Rfc9381AppendixB4) {
  VG_VECTORS(text, "mixnet/ecvrf_rfc9381.json");
  check_file(text);
}
TEST(VrfVectors, Generated) {
  VG_VECTORS(text, "mixnet/ecvrf_generated.json");
  check_file(text);
}
TEST(VrfVectors, EpochsOfDelays) {
  VG_VECTORS(text, "mixnet/vrf_epoch_delay.json");
  const auto file = json::parse(text);
  ASSERT_FALSE(file.empty());
  for (const auto& test : file) check_case(test, "vrf_secret_key", "vrf_public_key", "alpha_string");
}

/// RFC 9381 B.4, example 19, typed in: the suite works without vector files.
TEST(Vrf, Rfc9381Example19) {
  ByteArray<32> seed;
  const auto bytes = test::hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
  std::copy(bytes.begin(), bytes.end(), seed.begin());
  const auto proof = VrfKeyPair::from_seed(Secret<32>{seed}).prove({});
  EXPECT_EQ(to_hex(proof),
            "7d9c633ffeee27349264cf5c667579fc583b4bda63ab71d001f89c10003ab46f14adf9a3cd8b8412"
            "d9038531e865c341cafa73589b023d14311c331a9ad15ff2fb37831e00f0acaa6d73bc9997b06501");
  EXPECT_EQ(outcome(vrf_output(proof)),
            "9d574bf9b8302ec0fc1e21c3ec5368269527b87b462ce36dab2d14ccf80c53cccf6758f058c5b1c8"
            "56b116388152bbe509ee3b9ecfe63d93c3b4346c1fbc6c54");
}

struct Case {
  VrfKeyPair key;
  ByteArray<20> input;
  VrfProof proof;
  explicit Case(std::uint64_t seed) : key{make(seed)} {
    SeededRandom random{seed + 1000};
    random.fill(input);
    proof = key.prove(input);
  }
  static VrfKeyPair make(std::uint64_t seed) {
    SeededRandom random{seed};
    return VrfKeyPair::generate(random);
  }
};

TEST(Vrf, EveryFlippedBitOfAProofIsRefused) {
  const Case good{1};
  ASSERT_TRUE(vrf_verify(good.key.public_key, good.input, good.proof));
  for (std::size_t bit = 0; bit < 8 * vrf_proof_bytes; ++bit) {
    auto damaged = good.proof;
    damaged[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_FALSE(vrf_verify(good.key.public_key, good.input, damaged)) << bit;
  }
}

TEST(Vrf, OtherKeysAndInputsAreRefused) {
  const Case good{2};
  EXPECT_FALSE(vrf_verify(Case{3}.key.public_key, good.input, good.proof));
  auto input = good.input;
  input[7] ^= std::byte{1};
  EXPECT_FALSE(vrf_verify(good.key.public_key, input, good.proof));
  EXPECT_FALSE(vrf_verify(good.key.public_key, ByteView{good.input}.first(19), good.proof));
}

TEST(Vrf, WrongLengthsAreMalformed) {
  const Case good{4};
  Bytes longer{good.proof.begin(), good.proof.end()};
  longer.push_back(std::byte{});
  EXPECT_EQ(outcome(vrf_verify(good.key.public_key, good.input, longer)), "malformed");
  EXPECT_EQ(outcome(vrf_verify(good.key.public_key, good.input, ByteView{good.proof}.first(79))),
            "malformed");
  EXPECT_EQ(outcome(vrf_output({})), "malformed");
}

/// s and s + q would be two proofs of one output.
TEST(Vrf, ScalarsNotBelowTheOrderAreMalformed) {
  const Case good{5};
  const auto order = test::hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  auto proof = good.proof;
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += std::to_integer<unsigned>(proof[48 + i]) + std::to_integer<unsigned>(order[i]);
    proof[48 + i] = static_cast<std::byte>(carry);
    carry >>= 8;
  }
  EXPECT_EQ(outcome(vrf_verify(good.key.public_key, good.input, proof)), "malformed");
  std::copy(order.begin(), order.end(), proof.begin() + 48);
  EXPECT_EQ(outcome(vrf_verify(good.key.public_key, good.input, proof)), "malformed");
}

TEST(Vrf, LowOrderAndNonCanonicalPointsAreRefused) {
  const Case good{6};
  for (const char* point : {"0100000000000000000000000000000000000000000000000000000000000000",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "0000000000000000000000000000000000000000000000000000000000000000",
                            "0000000000000000000000000000000000000000000000000000000000000080",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "0200000000000000000000000000000000000000000000000000000000000000"}) {
    const auto bytes = test::hex(point);
    Ed25519Public key;
    std::copy(bytes.begin(), bytes.end(), key.begin());
    EXPECT_EQ(outcome(vrf_verify(key, good.input, good.proof)), "bad_key") << point;
    auto proof = good.proof;
    std::copy(bytes.begin(), bytes.end(), proof.begin());
    EXPECT_EQ(outcome(vrf_verify(good.key.public_key, good.input, proof)), "malformed") << point;
    EXPECT_EQ(outcome(vrf_output(proof)), "malformed") << point;
  }
}

TEST(Vrf, ProofsAreDeterministicAndOutputsDiffer) {
  SeededRandom random{7};
  const auto key = VrfKeyPair::generate(random);
  std::set<std::string> outputs;
  for (std::uint8_t i = 0; i < 50; ++i) {
    const ByteArray<1> input{std::byte{i}};
    const auto proof = key.prove(input);
    EXPECT_EQ(proof, key.prove(input));
    outputs.insert(outcome(vrf_verify(key.public_key, input, proof)));
  }
  EXPECT_EQ(outputs.size(), 50U);
}

}  // namespace
}  // namespace village::crypto
