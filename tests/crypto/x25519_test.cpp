#include "village/crypto/x25519.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/base/check.hpp"
#include "village/crypto/random.hpp"

namespace village::crypto {
namespace {

ByteArray<32> array32(std::string_view text) {
  const auto bytes = test::hex(text);
  ByteArray<32> out;
  VG_CHECK(bytes.size() == out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

std::string product(std::string_view scalar, std::string_view u) {
  const auto shared = x25519(X25519Private{array32(scalar)}, array32(u));
  return shared ? to_hex(shared->view()) : std::string{name(shared.error().code)};
}

TEST(X25519, Rfc7748Section52) {
  EXPECT_EQ(product("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                    "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  EXPECT_EQ(product("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                    "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
}

/// iterate is RFC 7748 5.2: k, u = X25519(k, u), k.
std::string iterate(ByteArray<32> k, int rounds) {
  auto u = k;
  for (int i = 0; i < rounds; ++i) {
    const auto next = x25519(X25519Private{k}, u);
    VG_CHECK(next);
    u = k;
    std::copy(next->view().begin(), next->view().end(), k.begin());
  }
  return to_hex(k);
}

TEST(X25519, Rfc7748Iterations) {
  const auto nine = array32("0900000000000000000000000000000000000000000000000000000000000000");
  EXPECT_EQ(iterate(nine, 1), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
  EXPECT_EQ(iterate(nine, 1000), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(X25519Soak, Rfc7748MillionIterations) {
  const auto nine = array32("0900000000000000000000000000000000000000000000000000000000000000");
  EXPECT_EQ(iterate(nine, 1'000'000), "7c3911e0ab2586fd864497297e575e6f3bc601c0883c30df5f4dd2d24f665424");
}

TEST(X25519Vectors, Rfc7748File) {
  VG_VECTORS(text, "mixnet/x25519_rfc7748.json");
  const auto file = nlohmann::json::parse(text);
  std::size_t ran = 0;
  for (const auto& test : file.at("vectors")) {
    EXPECT_EQ(product(test.at("scalar").get<std::string>(), test.at("u").get<std::string>()), test.at("out"));
    ++ran;
  }
  EXPECT_GT(ran, 0U);
}

TEST(X25519, BothSidesAgreeAndThePublicHalfIsTheBasePointTimesTheKey) {
  SeededRandom random{3};
  const auto nine = array32("0900000000000000000000000000000000000000000000000000000000000000");
  for (int i = 0; i < 50; ++i) {
    const auto a = X25519KeyPair::generate(random);
    const auto b = X25519KeyPair::generate(random);
    const auto ab = x25519(a.private_key, b.public_key);
    const auto ba = x25519(b.private_key, a.public_key);
    ASSERT_TRUE(ab && ba);
    EXPECT_TRUE(equal(*ab, *ba));
    const auto base = x25519(a.private_key, nine);
    ASSERT_TRUE(base);
    EXPECT_EQ(to_hex(base->view()), to_hex(a.public_key));
  }
}

TEST(X25519, LowOrderPeersAreRefusedAndLeaveNoErrorBehind) {
  SystemRandom random;
  const auto own = X25519KeyPair::generate(random);
  for (const char* low : {"0000000000000000000000000000000000000000000000000000000000000000",
                          "0100000000000000000000000000000000000000000000000000000000000000",
                          "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                          "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    const auto shared = x25519(own.private_key, array32(low));
    ASSERT_FALSE(shared) << low;
    EXPECT_EQ(shared.error().code, Errc::bad_key);
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace village::crypto
