#include "village/crypto/secret.hpp"

#include <gtest/gtest.h>

#include <concepts>
#include <new>
#include <ostream>
#include <type_traits>

#include "support/vectors.hpp"
#include "village/base/limits.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/random.hpp"

namespace village::crypto {
namespace {

const Bytes thirty_two = test::hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

Secret<32> example() { return Secret<32>{std::span<const std::byte, 32>{thirty_two}}; }

/// raw looks at an object's memory whatever became of the object.
template <class T>
Bytes raw(const void* memory) {
  asm volatile("" : : "r"(memory) : "memory");
  const auto* bytes = static_cast<const std::byte*>(memory);
  return {bytes, bytes + sizeof(T)};
}

TEST(Secret, MovingWipesTheSource) {
  auto first = example();
  const Secret<32> second = std::move(first);
  EXPECT_TRUE(is_zero(raw<Secret<32>>(&first)));
  EXPECT_TRUE(equal(second, example()));
  auto third = example();
  Secret<32> fourth;
  fourth = std::move(third);
  EXPECT_TRUE(is_zero(raw<Secret<32>>(&third)));
  EXPECT_TRUE(equal(fourth, example()));
}

TEST(Secret, DestructionLeavesNoKeyInMemory) {
  alignas(Secret<32>) std::byte memory[sizeof(Secret<32>)];
  auto* const secret = new (memory) Secret<32>{example()};
  EXPECT_FALSE(is_zero(raw<Secret<32>>(memory)));
  secret->~Secret();
  EXPECT_TRUE(is_zero(raw<Secret<32>>(memory)));
}

TEST(Secret, DestroyedDigestLeavesNothingInMemory) {
  alignas(Digest) std::byte memory[sizeof(Digest)];
  auto* const digest = new (memory) Digest{hash(HashAlgorithm::sha512, thirty_two)};
  const auto bytes = ByteView{digest->view()};
  digest->~Digest();
  EXPECT_TRUE(is_zero(to_bytes({raw<Digest>(bytes.data()).data(), bytes.size()})));
}

template <class T>
concept Comparable = requires(const T& a, const T& b) {
  a == b;
};
template <class T>
concept Printable = requires(std::ostream& out, const T& a) {
  out << a;
};

TEST(Secret, CannotBeCopiedComparedOrPrinted) {
  static_assert(!std::is_copy_constructible_v<Secret<32>> && !std::is_copy_assignable_v<Secret<32>>);
  static_assert(!Comparable<Secret<32>> && !Printable<Secret<32>>);
  static_assert(std::is_nothrow_move_constructible_v<Secret<32>>);
  const auto copy = example().clone();
  EXPECT_TRUE(equal(copy, example()));
}

TEST(Equal, SeesEveryBitAndTheSize) {
  auto a = thirty_two, b = thirty_two;
  EXPECT_TRUE(equal(a, b));
  for (std::size_t bit = 0; bit < 256; ++bit) {
    b[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    EXPECT_FALSE(equal(a, b)) << bit;
    b[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
  }
  EXPECT_FALSE(equal(a, ByteView{b}.first(31)));
  EXPECT_TRUE(equal(ByteView{}, ByteView{}));
}

TEST(IsZero, SeesEveryBit) {
  Bytes bytes(17);
  EXPECT_TRUE(is_zero(bytes));
  EXPECT_TRUE(is_zero({}));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = std::byte{1} << static_cast<int>(bit % 8);
    EXPECT_FALSE(is_zero(bytes)) << bit;
    bytes[bit / 8] = std::byte{0};
  }
}

TEST(Wipe, ClearsAndTakesNothing) {
  Bytes bytes = thirty_two;
  wipe(bytes);
  EXPECT_EQ(bytes, Bytes(32));
  wipe({});
}

TEST(SystemRandom, FillsEveryByteAndNeverRepeats) {
  SystemRandom random;
  ByteArray<64> seen{}, draw{};
  Bytes before(64);
  for (int i = 0; i < 64; ++i) {  // a byte stays zero in all draws with probability 2^-512
    random.fill(draw);
    EXPECT_NE(to_bytes(draw), before);
    before = to_bytes(draw);
    for (std::size_t j = 0; j < seen.size(); ++j) seen[j] |= draw[j];
  }
  for (const auto b : seen) EXPECT_NE(b, std::byte{0});
  random.fill({});
}

TEST(Limits, AreDeclared) {
  std::size_t count = 0;
  for (const auto& row : village::limits::all()) count += row.module == "crypto" ? 1 : 0;
  EXPECT_GE(count, 2U);
}

}  // namespace
}  // namespace village::crypto
