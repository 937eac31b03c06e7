// CipherState and protocol names.
#include "village/noise/cipher_state.hpp"

#include <gtest/gtest.h>

#include "support/allocations.hpp"
#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/noise/protocol.hpp"

namespace village::noise {
namespace {

Key key_of(std::uint64_t seed) {
  SeededRandom random{seed};
  Key key;
  random.fill(key.fill());
  return key;
}

class CipherStateOf : public testing::TestWithParam<Cipher> {
 protected:
  CipherState sender{GetParam(), key_of(1)};
  CipherState receiver{GetParam(), key_of(1)};
  Bytes sealed = Bytes(5 + tag_bytes);
  Bytes plain = Bytes(5);

  void send(std::string_view text) {
    ASSERT_EQ(text.size(), 5U);
    ASSERT_TRUE(sender.encrypt(as_bytes("ad"), as_bytes(text), sealed));
  }
  bool receive() { return receiver.decrypt(as_bytes("ad"), sealed, plain).has_value(); }
};

TEST_P(CipherStateOf, AFailedDecryptionDoesNotMoveTheCounter) {
  send("hello");
  for (auto& b : sealed) {
    b ^= std::byte{1};
    EXPECT_FALSE(receive());
    EXPECT_EQ(plain, Bytes(5));
    b ^= std::byte{1};
  }
  EXPECT_EQ(receiver.nonce(), 0U);
  EXPECT_FALSE(receiver.decrypt(as_bytes("da"), sealed, plain));
  EXPECT_TRUE(receive());
  EXPECT_EQ(as_text(plain), "hello");
  EXPECT_EQ(receiver.nonce(), 1U);
  EXPECT_FALSE(receive());  // replayed: the counter has moved on
}

TEST_P(CipherStateOf, WorksInPlace) {
  Bytes buffer = to_bytes("hello");
  buffer.resize(5 + tag_bytes);
  ASSERT_TRUE(sender.encrypt({}, ByteView{buffer}.first(5), buffer));
  EXPECT_NE(as_text(ByteView{buffer}.first(5)), "hello");
  ASSERT_TRUE(receiver.decrypt({}, buffer, ByteSpan{buffer}.first(5)));
  EXPECT_EQ(as_text(ByteView{buffer}.first(5)), "hello");
}

TEST_P(CipherStateOf, TheLastNonceIsReserved) {
  sender.set_nonce(UINT64_MAX - 1);
  receiver.set_nonce(UINT64_MAX - 1);
  send("hello");
  EXPECT_TRUE(receive());
  EXPECT_EQ(sender.encrypt({}, plain, sealed).error().code, Errc::exhausted);
  EXPECT_EQ(receiver.decrypt({}, sealed, plain).error().code, Errc::exhausted);
}

TEST_P(CipherStateOf, RekeyChangesTheKeyAndKeepsTheCounter) {
  send("first");
  EXPECT_TRUE(receive());
  sender.rekey();
  EXPECT_EQ(sender.nonce(), 1U);
  send("again");
  EXPECT_FALSE(receive());
  receiver.rekey();
  EXPECT_TRUE(receive());
  EXPECT_EQ(as_text(plain), "again");
}

TEST_P(CipherStateOf, ShapesAndSizesAreChecked) {
  EXPECT_EQ(sender.encrypt({}, plain, plain).error().code, Errc::bad_argument);
  EXPECT_EQ(receiver.decrypt({}, ByteView{sealed}.first(15), {}).error().code, Errc::truncated);
  EXPECT_EQ(receiver.decrypt({}, sealed, sealed).error().code, Errc::bad_argument);
  const Bytes large(limits::message_bytes_max - tag_bytes + 1);
  Bytes out(large.size() + tag_bytes);
  EXPECT_EQ(sender.encrypt({}, large, out).error().code, Errc::limit_exceeded);
  EXPECT_EQ(receiver.decrypt({}, out, ByteSpan{out}.first(large.size())).error().code, Errc::limit_exceeded);
  EXPECT_EQ(sender.nonce(), 0U);
}

TEST_P(CipherStateOf, AllocatesNothingOnceInUse) {
  send("first");
  ASSERT_TRUE(receive());
  const auto before = test::allocation_count();
  for (int i = 0; i < 100; ++i) {
    send("again");
    ASSERT_TRUE(receive());
  }
  EXPECT_EQ(test::allocation_count(), before);
}

INSTANTIATE_TEST_SUITE_P(Ciphers, CipherStateOf, testing::Values(Cipher::chacha_poly, Cipher::aes_gcm));

TEST(Protocol, ReadsNames) {
  const auto p = parse_protocol("Noise_XKpsk0+psk3_25519_AESGCM_BLAKE2b").value();
  EXPECT_EQ(p.pattern.base, "XK");
  EXPECT_EQ(p.pattern.message_count, 3U);
  EXPECT_EQ(p.pattern.psk_count, 2U);
  EXPECT_EQ(*p.pattern.messages[0].begin(), Token::psk);
  EXPECT_EQ(*(p.pattern.messages[2].end() - 1), Token::psk);
  EXPECT_EQ(p.cipher, Cipher::aes_gcm);
  EXPECT_EQ(p.hash, crypto::HashAlgorithm::blake2b);
  EXPECT_FALSE(p.pattern.initiator_known);
  EXPECT_TRUE(p.pattern.responder_known);
  EXPECT_TRUE(parse_protocol("Noise_Xpsk1_25519_ChaChaPoly_SHA512").value().pattern.one_way());
}

std::vector<Token> tokens(const std::string& pattern, std::size_t message) {
  const auto p = parse_protocol("Noise_" + pattern + "_25519+MLKEM768_ChaChaPoly_SHA256").value();
  EXPECT_TRUE(p.pattern.hybrid);
  EXPECT_EQ(p.kem, Kem::mlkem768);
  return {p.pattern.messages[message].begin(), p.pattern.messages[message].end()};
}

TEST(Protocol, HybridTokensStandBehindTheFirstDhAndTheFirstEe) {
  using enum Token;
  EXPECT_EQ(tokens("XKhfs", 0), (std::vector{e, es, e1}));
  EXPECT_EQ(tokens("XKhfs", 1), (std::vector{e, ee, ekem1}));
  EXPECT_EQ(tokens("XKhfs", 2), (std::vector{s, se}));
  EXPECT_EQ(tokens("IKhfs", 0), (std::vector{e, es, e1, s, ss}));
  EXPECT_EQ(tokens("IKhfs", 1), (std::vector{e, ee, ekem1, se}));
  EXPECT_EQ(tokens("XXhfs", 0), (std::vector{e, e1}));
  EXPECT_EQ(tokens("XXhfs", 1), (std::vector{e, ee, ekem1, s, es}));
  EXPECT_EQ(tokens("KKhfs", 0), (std::vector{e, es, e1, ss}));
  EXPECT_EQ(tokens("INhfs", 0), (std::vector{e, e1, s}));
  EXPECT_EQ(tokens("NNpsk0+hfs", 0), (std::vector{psk, e, e1}));
  EXPECT_EQ(tokens("NNhfs+psk1", 0), (std::vector{e, e1, psk}));
}

TEST(Protocol, NamesTheReasonOfARefusal) {
  const std::pair<const char*, Errc> cases[] = {
      {"", Errc::malformed},
      {"Noise_XK_25519_ChaChaPoly", Errc::malformed},
      {"Noise_XK_25519_ChaChaPoly_SHA256_", Errc::malformed},
      {"noise_XK_25519_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise__25519_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise_psk0_25519_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise_XKpsk_25519_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise_XKpsk3+_25519_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise_XK+psk3_25519_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise_XKpsk3+psk3_25519_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise_XKpsk10_25519_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise_XKpsk4_25519_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XZ_25519_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XK2_25519_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XXfallback_25519_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XKhfs_25519_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XK_25519+MLKEM768_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XKhfs_25519+ML-KEM-768_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XKhfs_25519+Kyber1024_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_Nhfs_25519+MLKEM768_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XKhfs+hfs_25519+MLKEM768_ChaChaPoly_SHA256", Errc::malformed},
      {"Noise_XK_448_ChaChaPoly_SHA256", Errc::unsupported},
      {"Noise_XK_25519_ChaCha_SHA256", Errc::unsupported},
      {"Noise_XK_25519_AESGCM_SHA3", Errc::unsupported},
      {"Noise_XK_25519_AESGCM_sha256", Errc::unsupported}};
  for (const auto& [text, code] : cases) {
    const auto result = parse_protocol(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, code) << text;
  }
  EXPECT_EQ(parse_protocol("Noise_" + std::string(300, 'X')).error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace village::noise
