// Aead: properties that no vector shows.
#include "village/crypto/aead.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>

#include "support/allocations.hpp"
#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/crypto/limits.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {
namespace {

class Aead : public ::testing::TestWithParam<AeadAlgorithm> {
 protected:
  Bytes random_bytes(std::size_t size) {
    Bytes bytes(size);
    random_.fill(bytes);
    return bytes;
  }
  AeadNonce random_nonce() {
    AeadNonce nonce;
    random_.fill(nonce);
    return nonce;
  }
  /// sealed_apart is the reference: one piece, separate buffers.
  Bytes sealed_apart(const AeadNonce& nonce, ByteView aad, ByteView plain) {
    Bytes out(plain.size() + aead_tag_bytes);
    sealer_.seal(nonce, aad, plain, out);
    return out;
  }

  SeededRandom random_{7};
  Bytes key_ = random_bytes(key_bytes(GetParam()));
  Sealer sealer_{GetParam(), key_};
  Opener opener_{GetParam(), key_};
};

std::string suite_name(const ::testing::TestParamInfo<AeadAlgorithm>& suite) {
  static const char* const names[] = {"aes_128_gcm", "aes_256_gcm", "chacha20_poly1305"};
  return names[static_cast<std::size_t>(suite.param)];
}
INSTANTIATE_TEST_SUITE_P(All, Aead,
                         ::testing::Values(AeadAlgorithm::aes_128_gcm, AeadAlgorithm::aes_256_gcm,
                                           AeadAlgorithm::chacha20_poly1305),
                         suite_name);

constexpr std::size_t sizes[] = {0, 1, 11, 15, 16, 17, 63, 64, 65, 255, 256, 1023, 4096, 16395};

TEST_P(Aead, OpensWhatItSealedAtEverySize) {
  for (const auto size : sizes) {
    const auto nonce = random_nonce();
    const auto aad = random_bytes(size % 40);
    const auto plain = random_bytes(size);
    const auto sealed = sealed_apart(nonce, aad, plain);
    Bytes opened(size, std::byte{0xee});
    ASSERT_TRUE(opener_.open(nonce, aad, sealed, opened)) << size;
    EXPECT_EQ(opened, plain);
    if (size >= 16) {
      EXPECT_TRUE(std::search(sealed.begin(), sealed.end(), plain.begin(), plain.end()) == sealed.end());
    }
  }
}

TEST_P(Aead, InPlaceEqualsApart) {
  for (const auto size : sizes) {
    const auto nonce = random_nonce();
    const auto aad = random_bytes(5);
    const auto plain = random_bytes(size);
    Bytes buffer = plain;
    buffer.resize(size + aead_tag_bytes);
    sealer_.seal(nonce, aad, ByteView{buffer}.first(size), buffer);
    EXPECT_EQ(buffer, sealed_apart(nonce, aad, plain)) << size;
    ASSERT_TRUE(opener_.open(nonce, aad, buffer, ByteSpan{buffer}.first(size)));
    buffer.resize(size);
    EXPECT_EQ(buffer, plain);
  }
}

TEST_P(Aead, TwoPiecesEqualOne) {
  const auto plain = random_bytes(3000);
  const auto nonce = random_nonce();
  const auto whole = sealed_apart(nonce, {}, plain);
  const ByteView view{plain};
  for (const std::size_t cut : {0U, 1U, 5U, 11U, 15U, 16U, 17U, 100U, 1023U, 1024U, 1025U, 2999U, 3000U}) {
    Bytes out(plain.size() + aead_tag_bytes);
    sealer_.seal(nonce, {}, view.first(cut), view.subspan(cut), out);
    EXPECT_EQ(out, whole) << cut;

    Bytes contiguous = plain;
    contiguous.resize(out.size());
    const auto pieces = ByteView{contiguous}.first(plain.size());
    sealer_.seal(nonce, {}, pieces.first(cut), pieces.subspan(cut), contiguous);
    EXPECT_EQ(contiguous, whole) << cut;

    const Bytes head = to_bytes(view.first(cut));
    Bytes body_in_place(out.size());  // header elsewhere, payload where it goes
    std::copy(plain.begin() + static_cast<std::ptrdiff_t>(cut), plain.end(),
              body_in_place.begin() + static_cast<std::ptrdiff_t>(cut));
    sealer_.seal(nonce, {}, head, ByteView{body_in_place}.subspan(cut, plain.size() - cut), body_in_place);
    EXPECT_EQ(body_in_place, whole) << cut;
  }
}

TEST_P(Aead, EveryFlippedBitIsRefusedAndLeavesNoPlaintext) {
  auto nonce = random_nonce();
  auto aad = random_bytes(7);
  const auto plain = random_bytes(21);
  auto sealed = sealed_apart(nonce, aad, plain);
  for (const ByteSpan part : {ByteSpan{nonce}, ByteSpan{aad}, ByteSpan{sealed}}) {
    for (std::size_t bit = 0; bit < part.size() * 8; ++bit) {
      const auto mask = std::byte{1} << static_cast<int>(bit % 8);
      part[bit / 8] ^= mask;
      Bytes apart(plain.size(), std::byte{0xee});
      EXPECT_FALSE(opener_.open(nonce, aad, sealed, apart)) << bit;
      EXPECT_TRUE(is_zero(apart));
      Bytes in_place = sealed;
      const auto out = ByteSpan{in_place}.first(plain.size());
      EXPECT_FALSE(opener_.open(nonce, aad, in_place, out)) << bit;
      EXPECT_TRUE(is_zero(out));
      part[bit / 8] ^= mask;
    }
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
  Bytes opened(plain.size());
  EXPECT_TRUE(opener_.open(nonce, aad, sealed, opened));
}

TEST_P(Aead, EveryFlippedKeyBitIsRefused) {
  const auto nonce = random_nonce();
  const auto plain = random_bytes(21);
  const auto sealed = sealed_apart(nonce, {}, plain);
  for (std::size_t bit = 0; bit < key_.size() * 8; ++bit) {
    auto other_key = key_;
    other_key[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    Opener other{GetParam(), other_key};
    Bytes opened(plain.size(), std::byte{0xee});
    EXPECT_FALSE(other.open(nonce, {}, sealed, opened)) << bit;
    EXPECT_TRUE(is_zero(opened));
  }
}

TEST_P(Aead, ShortAndTruncatedMessagesAreRefused) {
  const auto nonce = random_nonce();
  const auto plain = random_bytes(40);
  const auto sealed = sealed_apart(nonce, {}, plain);
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    Bytes opened(size < aead_tag_bytes ? 0 : size - aead_tag_bytes);
    EXPECT_FALSE(opener_.open(nonce, {}, ByteView{sealed}.first(size), opened)) << size;
  }
}

TEST_P(Aead, MovedContextsKeepTheirKey) {
  const auto nonce = random_nonce();
  const auto plain = random_bytes(40);
  const auto sealed = sealed_apart(nonce, {}, plain);
  Sealer sealer = std::move(sealer_);
  Opener opener{GetParam(), random_bytes(key_.size())};
  opener = std::move(opener_);
  Bytes again(sealed.size()), opened(plain.size());
  sealer.seal(nonce, {}, plain, again);
  EXPECT_EQ(again, sealed);
  EXPECT_TRUE(opener.open(nonce, {}, sealed, opened));
}

TEST_P(Aead, BatchEqualsOneByOneAndStopsAtTheFirstForgery) {
  constexpr std::size_t count = 5;
  const auto aad = random_bytes(3);
  const auto head = random_bytes(11);
  const auto body = random_bytes(200);
  Bytes joined = head;
  joined.insert(joined.end(), body.begin(), body.end());
  std::vector<Bytes> sealed(count, Bytes(joined.size() + aead_tag_bytes)),
      opened(count, Bytes(joined.size()));
  std::vector<SealJob> seal_jobs;
  std::vector<OpenJob> open_jobs;
  for (std::size_t i = 0; i < count; ++i) {
    const auto nonce = random_nonce();
    seal_jobs.push_back({nonce, aad, head, body, sealed[i]});
    open_jobs.push_back({nonce, aad, sealed[i], opened[i]});
  }
  sealer_.seal_batch(seal_jobs);
  EXPECT_EQ(opener_.open_batch(open_jobs), count);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(sealed[i], sealed_apart(seal_jobs[i].nonce, aad, joined));
    EXPECT_EQ(opened[i], joined);
  }
  sealed[3].back() ^= std::byte{1};
  for (auto& buffer : opened) std::fill(buffer.begin(), buffer.end(), std::byte{0xee});
  EXPECT_EQ(opener_.open_batch(open_jobs), 3U);
  EXPECT_EQ(opened[2], joined);
  EXPECT_TRUE(is_zero(opened[3]));
  EXPECT_EQ(opened[4], Bytes(joined.size(), std::byte{0xee}));
}

TEST_P(Aead, MessagesAllocateNothing) {
  const auto aad = random_bytes(5);
  const auto head = random_bytes(11);
  Bytes body = random_bytes(16384), sealed(head.size() + body.size() + aead_tag_bytes);
  AeadNonce nonce{};
  const auto round = [&](bool forged) {
    nonce = random_nonce();
    sealer_.seal(nonce, aad, head, body, sealed);
    if (forged) sealed.back() ^= std::byte{1};
    return opener_.open(nonce, aad, sealed, ByteSpan{sealed}.first(sealed.size() - aead_tag_bytes));
  };
  ASSERT_TRUE(round(false));  // what a thread or the library sets up once
  ASSERT_FALSE(round(true));
  const auto before = test::allocation_count();
  int opened = 0;
  for (int i = 0; i < 100; ++i) opened += round(false) ? 1 : 0;
  for (int i = 0; i < 100; ++i) opened += round(true) ? 1 : 0;
  EXPECT_EQ(test::allocation_count() - before, 0U);
  EXPECT_EQ(opened, 100);
}

TEST(AllocationCount, SeesNewAndOpensslAllocations) {
  const auto before = test::allocation_count();
  const auto block = std::make_unique<Bytes>(1000);
  EXPECT_GE(test::allocation_count() - before, 2U);
  const auto middle = test::allocation_count();
  const Bytes key(32);
  const Sealer sealer{AeadAlgorithm::aes_256_gcm, key};
  EXPECT_GE(test::allocation_count() - middle, 2U);  // ours and EVP_CIPHER_CTX_new's
}

TEST(AesIsFast, AgreesWithTheKernel) {
  const auto text = test::read_file("/proc/cpuinfo");
  const auto has = [&](const char* flag) { return text.find(std::string{" "} + flag) != text.npos; };
  if (text.empty()) GTEST_SKIP() << "no /proc/cpuinfo";
  EXPECT_EQ(aes_is_fast(), has("aes") && (has("pclmulqdq") || has("pmull")));
}

TEST(AeadDeathTest, WrongShapesAreOurDefect) {
  const Bytes key(32), plain(10);
  EXPECT_DEATH((Sealer{AeadAlgorithm::aes_128_gcm, key}), "broken invariant");
  Sealer sealer{AeadAlgorithm::aes_256_gcm, key};
  Bytes out(10);
  EXPECT_DEATH(sealer.seal(AeadNonce{}, {}, plain, out), "broken invariant");
}

}  // namespace
}  // namespace village::crypto
