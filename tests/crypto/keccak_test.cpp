#include "village/crypto/keccak.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "crypto/keccak_permutation.hpp"
#include "crypto/mlkem768_kernel.hpp"
#include "support/vectors.hpp"
#include "village/base/random.hpp"

namespace village::crypto {
namespace {

std::string sha3_256_hex(std::initializer_list<ByteView> parts) {
  ByteArray<32> digest;
  sha3_256(parts, digest);
  return to_hex(digest);
}

TEST(Keccak, DigestsOfTheEmptyMessage) {  // FIPS 202, NIST's example values
  EXPECT_EQ(sha3_256_hex({}), "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
  ByteArray<64> digest;
  sha3_512({}, digest);
  EXPECT_EQ(to_hex(digest),
            "a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6"
            "15b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26");
}

Bytes openssl_digest(const EVP_MD* algorithm, ByteView in, std::size_t size, bool extendable) {
  Bytes out(size);
  auto* const context = EVP_MD_CTX_new();
  EXPECT_EQ(EVP_DigestInit_ex(context, algorithm, nullptr), 1);
  EXPECT_EQ(EVP_DigestUpdate(context, in.data(), in.size()), 1);
  EXPECT_EQ(extendable ? EVP_DigestFinalXOF(context, octets(ByteSpan{out}), size)
                       : EVP_DigestFinal_ex(context, octets(ByteSpan{out}), nullptr),
            1);
  EVP_MD_CTX_free(context);
  return out;
}

Bytes shaken(Shake sponge_of(), ByteView in, std::size_t cut, std::size_t size) {
  auto sponge = sponge_of();
  sponge.absorb(in.first(cut));
  sponge.absorb(in.subspan(cut));
  Bytes out(size);
  sponge.squeeze(ByteSpan{out}.first(size / 3));
  sponge.squeeze(ByteSpan{out}.subspan(size / 3));
  return out;
}

TEST(Keccak, AgreesWithOpensslAtEveryLengthAroundABlock) {
  SeededRandom random{1};
  for (std::size_t size = 0; size < 700; ++size) {
    Bytes in(size);
    random.fill(in);
    const auto cut = static_cast<std::size_t>(random.below(size + 1));
    const auto first = ByteView{in}.first(cut), second = ByteView{in}.subspan(cut);
    ASSERT_EQ(sha3_256_hex({first, second}), to_hex(openssl_digest(EVP_sha3_256(), in, 32, false))) << size;
    ByteArray<64> digest;
    sha3_512({first, second}, digest);
    ASSERT_EQ(to_hex(digest), to_hex(openssl_digest(EVP_sha3_512(), in, 64, false))) << size;
    ASSERT_EQ(shaken(Shake::shake128, in, cut, size), openssl_digest(EVP_shake128(), in, size, true)) << size;
    ASSERT_EQ(shaken(Shake::shake256, in, cut, size), openssl_digest(EVP_shake256(), in, size, true)) << size;
  }
}

TEST(Keccak, FourAtOnceEqualFourInTurn) {
  if (avx2_kernel() == nullptr) GTEST_SKIP() << "this CPU has no AVX2";
  SeededRandom random{2};
  for (int round = 0; round < 100; ++round) {
    KeccakState4 four;
    std::array<KeccakState, 4> singly;
    for (std::size_t lane = 0; lane < 25; ++lane) {
      for (std::size_t n = 0; n < 4; ++n) four.lanes[lane][n] = singly[n][lane] = random.u64();
    }
    keccak_permute_x4_avx2(four);
    for (auto& state : singly) keccak_permute(state);
    for (std::size_t lane = 0; lane < 25; ++lane) {
      for (std::size_t n = 0; n < 4; ++n) ASSERT_EQ(four.lanes[lane][n], singly[n][lane]);
    }
  }
}

}  // namespace
}  // namespace village::crypto
