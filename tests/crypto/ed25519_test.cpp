#include "village/crypto/ed25519.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/base/check.hpp"

namespace village::crypto {
namespace {

template <std::size_t N>
ByteArray<N> array(std::string_view text) {
  const auto bytes = test::hex(text);
  ByteArray<N> out;
  VG_CHECK(bytes.size() == out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

struct Rfc8032Case {
  const char *seed, *public_key, *message, *signature;
};

// RFC 8032 section 7.1: TEST 1, TEST 2, TEST 3, TEST SHA(abc).
constexpr Rfc8032Case rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
     "454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
     "3dca179c138ac17ad9bef1177331a704"},
};

TEST(Ed25519, Rfc8032Vectors71) {
  for (const auto& test : rfc8032) {
    const auto pair = Ed25519KeyPair::from_seed(Ed25519Seed{array<32>(test.seed)});
    const auto message = test::hex(test.message);
    EXPECT_EQ(to_hex(pair.public_key), test.public_key);
    const auto signature = pair.sign(message);
    EXPECT_EQ(to_hex(signature), test.signature);
    EXPECT_TRUE(verify(pair.public_key, message, signature));
  }
}

TEST(Ed25519, EveryFlippedBitOfKeyMessageAndSignatureIsRefused) {
  SeededRandom random{11};
  const auto pair = Ed25519KeyPair::generate(random);
  auto key = pair.public_key;
  auto message = to_bytes("a short message");
  auto signature = pair.sign(message);
  ASSERT_TRUE(verify(key, message, signature));
  for (const ByteSpan part : {ByteSpan{key}, ByteSpan{message}, ByteSpan{signature}}) {
    for (std::size_t bit = 0; bit < part.size() * 8; ++bit) {
      const auto mask = std::byte{1} << static_cast<int>(bit % 8);
      part[bit / 8] ^= mask;
      EXPECT_FALSE(verify(key, message, signature)) << bit;
      part[bit / 8] ^= mask;
    }
  }
  EXPECT_FALSE(verify(key, ByteView{message}.first(message.size() - 1), signature));
}

TEST(Ed25519, SignatureWithSPlusOrderIsRefused) {
  SeededRandom random{12};
  const auto pair = Ed25519KeyPair::generate(random);
  auto signature = pair.sign(as_bytes("m"));
  const auto order = test::hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += std::to_integer<unsigned>(signature[32 + i]) + std::to_integer<unsigned>(order[i]);
    signature[32 + i] = static_cast<std::byte>(carry & 0xff);
    carry >>= 8;
  }
  EXPECT_FALSE(verify(pair.public_key, as_bytes("m"), signature));  // RFC 8032 5.1.7: S < L
}

TEST(Ed25519, TheX25519FormsOfBothHalvesBelongTogether) {
  SeededRandom random{13};
  for (int i = 0; i < 20; ++i) {
    const auto pair = Ed25519KeyPair::generate(random);
    const auto form = pair.x25519();
    const auto mapped = x25519_public(pair.public_key);
    ASSERT_TRUE(mapped);
    EXPECT_EQ(*mapped, form.public_key);
    const auto front = std::to_integer<unsigned>(form.private_key.view().front());
    const auto back = std::to_integer<unsigned>(form.private_key.view().back());
    EXPECT_EQ(front & 7U, 0U);
    EXPECT_EQ(back & 0xc0U, 0x40U);
  }
}

TEST(Ed25519, KeysWithoutAnX25519FormAreRefused) {
  for (const char* bad : {
           "0100000000000000000000000000000000000000000000000000000000000000",  // identity
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // order 2
           "0000000000000000000000000000000000000000000000000000000000000000",  // order 4
           "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  // order 8
           "0200000000000000000000000000000000000000000000000000000000000000",  // y = 2: not on the curve
           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // 1 + p
           "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // 3 + p
       }) {
    const auto mapped = x25519_public(array<32>(bad));
    ASSERT_FALSE(mapped) << bad;
    EXPECT_EQ(mapped.error().code, Errc::bad_key);
  }
}

TEST(Ed25519, AKeyAndItsNegativeShareTheirX25519Form) {
  SeededRandom random{5};
  const auto pair = Ed25519KeyPair::generate(random);
  auto negative = pair.public_key;
  negative[31] ^= std::byte{0x80};
  EXPECT_EQ(x25519_public(negative).value(), pair.x25519().public_key);
}

TEST(Ed25519Vectors, X25519FormsOfIds) {
  VG_VECTORS(text, "htx/ids.json");
  const auto file = nlohmann::json::parse(text);
  std::size_t ran = 0;
  for (const auto& test : file.at("vectors")) {
    const auto pair =
        Ed25519KeyPair::from_seed(Ed25519Seed{array<32>(test.at("ed25519_seed").get<std::string>())});
    EXPECT_EQ(to_hex(pair.public_key), test.at("ed25519_pub"));
    const auto form = pair.x25519();
    EXPECT_EQ(to_hex(form.private_key.view()), test.at("x25519_priv"));
    EXPECT_EQ(to_hex(form.public_key), test.at("x25519_pub"));
    const auto mapped = x25519_public(pair.public_key);
    ASSERT_TRUE(mapped);
    EXPECT_EQ(to_hex(*mapped), test.at("x25519_pub"));
    ++ran;
  }
  EXPECT_GT(ran, 0U);
}

}  // namespace
}  // namespace village::crypto
