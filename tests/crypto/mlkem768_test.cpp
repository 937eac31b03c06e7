#include "village/crypto/mlkem768.hpp"

#include <gtest/gtest.h>

#include "crypto/mlkem768_codec.hpp"
#include "crypto/mlkem768_scheme.hpp"
#include "village/crypto/random.hpp"

namespace village::crypto {
namespace {

constexpr int q = mlkem_modulus;

void fill(Polynomial& f, RandomSource& random) {
  for (auto& c : f.c) c = static_cast<std::int16_t>(random.below(static_cast<std::uint64_t>(q)));
}
void fill_with(Polynomial& f, std::int16_t value) { f.c.fill(value); }

/// Kernels runs once for each implementation that this CPU has.
class MlkemKernels : public testing::TestWithParam<const MlkemKernel*> {
 protected:
  const MlkemKernel& kernel() const { return *GetParam(); }
  SeededRandom random_{7};
};

std::vector<const MlkemKernel*> kernels() {
  std::vector<const MlkemKernel*> all{&portable_kernel()};
  if (avx2_kernel() != nullptr) all.push_back(avx2_kernel());
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, MlkemKernels, testing::ValuesIn(kernels()),
                         [](const auto& each) { return std::string{each.param->name}; });

/// schoolbook multiplies modulo X^256 + 1.
Polynomial schoolbook(const Polynomial& a, const Polynomial& b) {
  std::array<std::int64_t, 256> sum{};
  for (std::size_t i = 0; i < 256; ++i) {
    for (std::size_t j = 0; j < 256; ++j) {
      sum[(i + j) % 256] += (i + j < 256 ? 1 : -1) * std::int64_t{a.c[i]} * b.c[j];
    }
  }
  Polynomial product;
  for (std::size_t i = 0; i < 256; ++i) product.c[i] = static_cast<std::int16_t>((sum[i] % q + q) % q);
  return product;
}

TEST_P(MlkemKernels, TransformedDotIsTheSumOfProducts) {
  for (int round = 0; round < 20; ++round) {
    std::array<Polynomial, 3> a, b;
    Polynomial expected;
    fill_with(expected, 0);
    for (std::size_t n = 0; n < 3; ++n) {
      round == 0 ? fill_with(a[n], q - 1) : fill(a[n], random_);
      round == 0 ? fill_with(b[n], q - 1) : fill(b[n], random_);
      add(expected, schoolbook(a[n], b[n]));
      kernel().transform(a[n]);
      kernel().transform(b[n]);
    }
    Polynomial product;
    kernel().dot(a, b, product);
    kernel().transform_back(product);
    ASSERT_EQ(product.c, expected.c);
  }
}

TEST_P(MlkemKernels, TransformBackUndoesTransform) {
  for (int round = 0; round < 100; ++round) {
    Polynomial f;
    round == 0 ? fill_with(f, q - 1) : fill(f, random_);
    auto g = f;
    kernel().transform(g);
    kernel().transform_back(g);
    ASSERT_EQ(g.c, f.c);
  }
}

TEST_P(MlkemKernels, EqualsThePortableForm) {
  const auto& portable = portable_kernel();
  for (int round = 0; round < 200; ++round) {
    std::array<Polynomial, 3> a, b;
    for (auto* vector : {&a, &b}) {
      for (auto& f : *vector) fill(f, random_);
    }
    Polynomial mine, theirs;
    kernel().dot(a, b, mine);
    portable.dot(a, b, theirs);
    ASSERT_EQ(mine.c, theirs.c);
    auto forth = a[0], forth_portable = a[0], back = a[1], back_portable = a[1];
    kernel().transform(forth);
    portable.transform(forth_portable);
    ASSERT_EQ(forth.c, forth_portable.c);
    kernel().transform_back(back);
    portable.transform_back(back_portable);
    ASSERT_EQ(back.c, back_portable.c);
  }
}

TEST_P(MlkemKernels, SamplesLikeThePortableForm) {
  for (int round = 0; round < 100; ++round) {
    ByteArray<32> seed;
    random_.fill(seed);
    for (const bool transposed : {false, true}) {
      Matrix mine, theirs;
      kernel().sample_matrix(seed, transposed, mine);
      portable_kernel().sample_matrix(seed, transposed, theirs);
      for (std::size_t n = 0; n < mine.size(); ++n) ASSERT_EQ(mine[n].c, theirs[n].c);
    }
    std::array<Polynomial, 7> noise, expected;
    kernel().sample_noise(seed, 0, noise);
    portable_kernel().sample_noise(seed, 0, expected);
    for (std::size_t n = 0; n < noise.size(); ++n) ASSERT_EQ(noise[n].c, expected[n].c);
  }
}

TEST_P(MlkemKernels, WholeSchemeAgreesWithThePortableForm) {
  for (int round = 0; round < 50; ++round) {
    ByteArray<64> seed;
    ByteArray<32> message, sent, received, expected;
    random_.fill(seed);
    random_.fill(message);
    Secret<mlkem768_private_bytes> key, other;
    mlkem_generate(kernel(), seed, key.fill());
    mlkem_generate(portable_kernel(), seed, other.fill());
    ASSERT_TRUE(equal(key, other));
    const auto public_key = key.view().subspan<1152, mlkem768_public_bytes>();
    MlkemCiphertext ciphertext, again;
    mlkem_encapsulate(kernel(), public_key, message, ciphertext, sent);
    mlkem_encapsulate(portable_kernel(), public_key, message, again, expected);
    ASSERT_EQ(ciphertext, again);
    ASSERT_EQ(sent, expected);
    mlkem_decapsulate(kernel(), key.view(), ciphertext, received);
    ASSERT_EQ(received, sent);
    ciphertext[static_cast<std::size_t>(random_.below(ciphertext.size()))] ^= std::byte{1};
    mlkem_decapsulate(kernel(), key.view(), ciphertext, received);
    mlkem_decapsulate(portable_kernel(), key.view(), ciphertext, expected);
    ASSERT_EQ(received, expected);
    ASSERT_NE(received, sent);
  }
}

TEST(MlkemCodec, DivisionByMultiplicationIsExact) {
  for (std::uint32_t value = 0; value < 1U << 22; ++value) {
    ASSERT_EQ(divide_by_modulus(value), value / static_cast<std::uint32_t>(q)) << value;
  }
}

TEST(MlkemCodec, CompressionRounds) {
  for (const unsigned bits : {1U, 4U, 10U}) {
    for (int x = 0; x < q; ++x) {
      const auto rounded = (2 * (x << bits) + q) / (2 * q) % (1 << bits);
      ASSERT_EQ(compress(static_cast<std::uint32_t>(x), bits), static_cast<std::uint32_t>(rounded));
    }
    for (std::uint32_t y = 0; y < 1U << bits; ++y)
      ASSERT_EQ(compress(static_cast<std::uint32_t>(decompress(y, bits)), bits), y);
  }
}

TEST(MlkemPrivate, SecretArrivesAndIsFresh) {
  SystemRandom random;
  const auto key = MlkemPrivate::generate(random);
  MlkemCiphertext first, second;
  const auto sent = mlkem768_encapsulate(key.public_key(), first, random).value();
  const auto other = mlkem768_encapsulate(key.public_key(), second, random).value();
  EXPECT_TRUE(equal(key.decapsulate(first).value(), sent));
  EXPECT_TRUE(equal(key.decapsulate(second).value(), other));
  EXPECT_FALSE(equal(sent, other));
}

TEST(MlkemPrivate, AnyFlippedBitGivesAnUnrelatedSecret) {
  SeededRandom random{3};
  const auto key = MlkemPrivate::generate(random);
  MlkemCiphertext ciphertext;
  const auto sent = mlkem768_encapsulate(key.public_key(), ciphertext, random).value();
  for (std::size_t bit = 0; bit < 8 * ciphertext.size(); bit += 37) {
    auto damaged = ciphertext;
    damaged[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    const auto first = key.decapsulate(damaged).value(), again = key.decapsulate(damaged).value();
    ASSERT_FALSE(equal(first, sent));
    ASSERT_TRUE(equal(first, again));
  }
}

TEST(MlkemPrivate, BytesComeBackAndDamagedOnesAreRefused) {
  SeededRandom random{4};
  const auto key = MlkemPrivate::generate(random);
  auto bytes = to_bytes(key.bytes().view());
  EXPECT_TRUE(equal(MlkemPrivate::from_bytes(bytes).value().bytes(), key.bytes()));
  bytes[1152] ^= std::byte{1};  // in the encapsulation key
  EXPECT_EQ(MlkemPrivate::from_bytes(bytes).error().code, Errc::bad_key);
  bytes[1152] ^= std::byte{1};
  bytes[2400 - 64] ^= std::byte{1};  // in its hash
  EXPECT_EQ(MlkemPrivate::from_bytes(bytes).error().code, Errc::bad_key);
  EXPECT_EQ(MlkemPrivate::from_bytes(ByteView{bytes}.first(2399)).error().code, Errc::bad_key);
}

TEST(MlkemPublic, LengthAndModulusAreChecked) {
  SeededRandom random{5};
  const auto key = MlkemPrivate::generate(random);
  MlkemCiphertext ciphertext;
  auto bytes = to_bytes(key.public_key());
  EXPECT_TRUE(mlkem768_encapsulate(bytes, ciphertext, random));
  EXPECT_FALSE(mlkem768_encapsulate(ByteView{bytes}.first(1183), ciphertext, random));
  for (std::size_t coefficient = 0; coefficient < 768; ++coefficient) {
    auto wrong = bytes;
    const auto at = coefficient / 2 * 3;
    if (coefficient % 2 == 0) {  // q itself: 0xd01, little-endian over 12 bits
      wrong[at] = std::byte{0x01};
      wrong[at + 1] = (wrong[at + 1] & std::byte{0xf0}) | std::byte{0x0d};
    } else {
      wrong[at + 1] = (wrong[at + 1] & std::byte{0x0f}) | std::byte{0x10};
      wrong[at + 2] = std::byte{0xd0};
    }
    ASSERT_EQ(mlkem768_encapsulate(wrong, ciphertext, random).error().code, Errc::bad_key) << coefficient;
  }
}

}  // namespace
}  // namespace village::crypto
