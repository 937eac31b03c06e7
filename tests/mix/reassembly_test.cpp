#include "village/mix/reassembly.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "village/base/random.hpp"
#include "village/mix/fragments.hpp"

namespace village::mix {
namespace {

constexpr std::size_t piece = 100;
constexpr Instant start{std::chrono::hours{1}};
using Taken = Reassembly::Taken;

MessageId message_id(std::uint64_t n) {
  MessageId id{};
  for (std::size_t i = 0; i < 8; ++i) id[i] = static_cast<std::byte>(n >> 8 * i);
  return id;
}
crypto::Ed25519Public sender(std::uint8_t n) { return {std::byte{n}}; }

PlainPayload fragment(const MessageId& id, ByteView sealed, std::size_t index) {
  PlainPayload payload;
  payload.type = PayloadType::data;
  payload.message_id = id;
  payload.index = static_cast<std::uint16_t>(index);
  payload.count = static_cast<std::uint16_t>(fragment_count(sealed.size(), piece));
  payload.data = fragment_of(sealed, index, piece);
  return payload;
}

Bytes some(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  SeededRandom{seed}.fill(bytes);
  return bytes;
}

TEST(Reassembly, JoinsFragmentsInAnyOrder) {
  const std::uint64_t seed = 3;
  SCOPED_TRACE(seed);
  SeededRandom random{seed};
  Reassembly reassembly{piece};
  for (const std::size_t size : {1U, 99U, 100U, 101U, 1'234U, 20'000U}) {
    const auto sealed = some(size, size);
    const auto id = message_id(size);
    std::vector<std::size_t> order(fragment_count(size, piece));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto taken = reassembly.take(fragment(id, sealed, order[i]), {order[i] + 1, {}, {}}, start);
      ASSERT_EQ(taken, i + 1 == order.size() ? Taken::complete : Taken::stored);
    }
    const auto message = reassembly.finish(id);
    EXPECT_EQ(message.sealed, sealed);
    EXPECT_EQ(message.receipts.size(), order.size());
    EXPECT_EQ(reassembly.bytes(), 0U);
  }
}

TEST(Reassembly, TellsRepeatsFromConflicts) {
  Reassembly reassembly{piece};
  const auto sealed = some(350, 1), other = some(350, 2);
  const auto id = message_id(1);
  EXPECT_EQ(reassembly.take(fragment(id, sealed, 1), {1, {}, {}}, start), Taken::stored);
  EXPECT_EQ(reassembly.take(fragment(id, sealed, 1), {2, {}, {}}, start), Taken::repeated);
  EXPECT_EQ(reassembly.take(fragment(id, other, 1), {3, {}, {}}, start), Taken::conflict);
  auto wrong = fragment(id, sealed, 2);
  wrong.count = 5;
  EXPECT_EQ(reassembly.take(wrong, {4, {}, {}}, start), Taken::conflict);
  wrong = fragment(id, sealed, 2);
  wrong.type = PayloadType::reply;
  EXPECT_EQ(reassembly.take(wrong, {4, {}, {}}, start), Taken::conflict);
  wrong = fragment(id, sealed, 2);
  wrong.data = wrong.data.first(99);
  EXPECT_EQ(reassembly.take(wrong, {4, {}, {}}, start), Taken::conflict) << "only the last may be short";
  wrong = fragment(message_id(2), sealed, 3);
  const Bytes longer(piece + 1);
  wrong.data = longer;
  EXPECT_EQ(reassembly.take(wrong, {4, {}, {}}, start), Taken::conflict);
  EXPECT_EQ(reassembly.messages(), 1U);
  reassembly.forget_receipts();
  EXPECT_EQ(reassembly.receipts(), 0U);
  EXPECT_EQ(reassembly.take(fragment(id, sealed, 1), {8, {}, {}}, start), Taken::resumed);
  EXPECT_EQ(reassembly.take(fragment(id, sealed, 1), {9, {}, {}}, start), Taken::repeated);
  EXPECT_EQ(reassembly.take(fragment(id, sealed, 2), {10, {}, Answers{}}, start), Taken::conflict);
  EXPECT_EQ(reassembly.discard(id), std::vector<std::uint64_t>{8});
  EXPECT_EQ(reassembly.receipts(), 0U);
  EXPECT_EQ(reassembly.bytes(), 0U);
}

TEST(Reassembly, RefusesMessagesThatAreTooLong) {
  Reassembly reassembly{1'252};
  PlainPayload payload;
  payload.type = PayloadType::data;
  payload.count = limits::fragments_max;
  const Bytes data(1'252);
  payload.data = data;
  EXPECT_EQ(reassembly.take(payload, {}, start), Taken::conflict);
}

TEST(Reassembly, ChargesTheSenderOnceItIsKnown) {
  Reassembly::Options options;
  options.bytes_max = 1 << 20;
  options.sender_bytes_max = 3 * (piece + limits::fragment_bytes) + limits::partial_message_bytes;
  Reassembly reassembly{piece, options};
  const auto sealed = some(10 * piece, 1);
  // Three fragments without the first fill the share of the unknown.
  for (const std::size_t i : {1U, 2U, 3U}) {
    EXPECT_EQ(reassembly.take(fragment(message_id(1), sealed, i), {}, start), Taken::stored);
  }
  EXPECT_EQ(reassembly.take(fragment(message_id(1), sealed, 4), {}, start), Taken::full);
  // A known sender has its own share; another one too.
  EXPECT_EQ(reassembly.take(fragment(message_id(2), sealed, 0), {0, sender(1), {}}, start), Taken::stored);
  EXPECT_EQ(reassembly.take(fragment(message_id(2), sealed, 1), {}, start), Taken::stored);
  EXPECT_EQ(reassembly.take(fragment(message_id(3), sealed, 0), {0, sender(2), {}}, start), Taken::stored);
  EXPECT_EQ(reassembly.take(fragment(message_id(4), sealed, 0), {0, sender(1), {}}, start), Taken::full);
  // The first fragment moves what came before it; too much for the share is refused.
  EXPECT_EQ(reassembly.take(fragment(message_id(1), sealed, 0), {0, sender(3), {}}, start), Taken::full);
  EXPECT_EQ(reassembly.discard(message_id(1)).size(), 0U);
  EXPECT_EQ(reassembly.take(fragment(message_id(5), sealed, 1), {}, start), Taken::stored);
  EXPECT_EQ(reassembly.take(fragment(message_id(5), sealed, 0), {0, sender(3), {}}, start), Taken::stored);
  for (const std::uint64_t n : {2U, 3U, 5U}) (void)reassembly.discard(message_id(n));
  EXPECT_EQ(reassembly.bytes(), 0U);
}

TEST(Reassembly, IsBoundedInAll) {
  Reassembly::Options options;
  options.bytes_max = 100'000;
  options.messages_max = 50;
  Reassembly reassembly{piece, options};
  const auto sealed = some(2 * piece, 1);
  for (std::uint64_t n = 0; n < 50; ++n) {
    ASSERT_EQ(reassembly.take(fragment(message_id(n), sealed, 1), {}, start), Taken::stored);
  }
  EXPECT_EQ(reassembly.take(fragment(message_id(50), sealed, 1), {}, start), Taken::stored);
  EXPECT_EQ(reassembly.messages(), 50U);
  EXPECT_FALSE(reassembly.has(message_id(0)));
  const auto big = some(1'500 * piece, 2);
  std::size_t stored = 0;
  while (reassembly.take(fragment(message_id(0), sealed, 0), {}, start) == Taken::full) FAIL();
  reassembly.discard(message_id(0));
  while (stored < 1'500 &&
         reassembly.take(fragment(message_id(99), big, stored), {}, start) == Taken::stored) {
    ++stored;
  }
  EXPECT_LE(reassembly.bytes(), options.bytes_max);
  EXPECT_LT(stored, 1'500U);
}

TEST(Reassembly, TakesMessagesOfOneFragmentWhenFull) {
  Reassembly::Options options;
  options.messages_max = 3;
  options.bytes_max = 3 * (piece + limits::fragment_bytes + limits::partial_message_bytes);
  options.sender_bytes_max = options.bytes_max;
  Reassembly reassembly{piece, options};
  const auto longer = some(2 * piece, 1), whole = some(piece, 2);
  for (std::uint64_t n = 1; n <= 3; ++n)
    ASSERT_EQ(reassembly.take(fragment(message_id(n), longer, 0), {}, start), Taken::stored);
  EXPECT_EQ(reassembly.take(fragment(message_id(4), longer, 0), {}, start), Taken::stored);
  EXPECT_FALSE(reassembly.has(message_id(1)));
  ASSERT_EQ(reassembly.take(fragment(message_id(5), whole, 0), {}, start), Taken::complete);
  EXPECT_EQ(reassembly.finish(message_id(5)).sealed, whole);
  EXPECT_EQ(reassembly.messages(), 3U);
}

TEST(Reassembly, EvictsTheOneThatHasWaitedLongest) {
  Reassembly::Options options;
  options.messages_max = 3;
  Reassembly reassembly{piece, options};
  const auto sealed = some(4 * piece, 1);
  for (std::uint64_t n = 1; n <= 3; ++n)
    ASSERT_EQ(reassembly.take(fragment(message_id(n), sealed, 1), {n, {}, {}}, start), Taken::stored);
  ASSERT_EQ(reassembly.take(fragment(message_id(1), sealed, 2), {11, {}, {}}, start), Taken::stored);
  ASSERT_EQ(reassembly.take(fragment(message_id(4), sealed, 0), {4, sender(1), {}}, start), Taken::stored);
  auto evicted = reassembly.take_evicted();
  ASSERT_EQ(evicted.size(), 1U);
  EXPECT_EQ(evicted[0].id, message_id(2));
  EXPECT_EQ(evicted[0].receipts, std::vector<std::uint64_t>{2});
  EXPECT_TRUE(reassembly.take_evicted().empty());
  ASSERT_EQ(reassembly.take(fragment(message_id(5), sealed, 1), {}, start), Taken::stored);
  ASSERT_EQ(reassembly.take(fragment(message_id(6), sealed, 1), {}, start), Taken::stored);
  evicted = reassembly.take_evicted();
  ASSERT_EQ(evicted.size(), 2U);
  EXPECT_EQ(evicted[0].id, message_id(3));
  EXPECT_EQ(evicted[1].receipts, (std::vector<std::uint64_t>{1, 11}));
  EXPECT_EQ(reassembly.evicted(), 3U);
  for (const std::uint64_t n : {4U, 5U, 6U}) (void)reassembly.discard(message_id(n));
  EXPECT_EQ(reassembly.bytes(), 0U);
  EXPECT_EQ(reassembly.receipts(), 0U);
}

TEST(Reassembly, KeepsNoMessageOutForThoseThatAreNeverFinished) {
  // An attacker brings a hundred packets for each one of an honest sender, with or without a sealed head.
  for (const bool with_heads : {false, true}) {
    Reassembly reassembly{piece};
    const auto bait = some(1'000 * piece, 1), honest = some(40 * piece, 2);
    std::uint64_t packets = 0;
    const auto attack = [&](std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto n = ++packets;
        Arrival arrival;
        if (with_heads) arrival.sender = {std::byte(n), std::byte(n >> 8), std::byte(n >> 16)};
        (void)reassembly.take(fragment(message_id(n), bait, with_heads ? 0 : 1), arrival, start);
      }
    };
    attack(3 * limits::partial_messages_max);
    EXPECT_EQ(reassembly.messages(), limits::partial_messages_max);
    auto taken = Taken::stored;
    for (std::size_t i = 40; i-- > 0;) {
      Arrival arrival;
      if (i == 0) arrival.sender = sender(1);
      taken = reassembly.take(fragment(message_id(~0ULL), honest, i), arrival, start);
      attack(100);
    }
    EXPECT_EQ(taken, Taken::complete) << with_heads;
  }
}

TEST(Reassembly, FreesTheShareOfTheUnknownByEvicting) {
  Reassembly::Options options;
  options.sender_bytes_max = 10 * (piece + limits::fragment_bytes + limits::partial_message_bytes);
  Reassembly reassembly{piece, options};
  const auto sealed = some(3 * piece, 1);
  ASSERT_EQ(reassembly.take(fragment(message_id(1), sealed, 0), {0, sender(1), {}}, start), Taken::stored);
  for (std::uint64_t n = 2; n <= 13; ++n)
    ASSERT_EQ(reassembly.take(fragment(message_id(n), sealed, 1), {}, start), Taken::stored);
  EXPECT_TRUE(reassembly.has(message_id(1))) << "its sender is known: not of that share";
  EXPECT_FALSE(reassembly.has(message_id(2)));
  EXPECT_FALSE(reassembly.has(message_id(3)));
  EXPECT_EQ(reassembly.messages(), 11U);
}

TEST(Reassembly, BoundsTheMessagesOfOneKnownSender) {
  Reassembly::Options options;
  options.sender_messages_max = 2;
  Reassembly reassembly{piece, options};
  const auto sealed = some(2 * piece, 1);
  const auto first_of = [&](std::uint64_t n) {
    return reassembly.take(fragment(message_id(n), sealed, 0), {0, sender(1), {}}, start);
  };
  EXPECT_EQ(first_of(1), Taken::stored);
  EXPECT_EQ(first_of(2), Taken::stored);
  EXPECT_EQ(first_of(3), Taken::full);
  ASSERT_EQ(reassembly.take(fragment(message_id(4), sealed, 1), {}, start), Taken::stored);
  EXPECT_EQ(first_of(4), Taken::full);  // now it is known to be his
  ASSERT_EQ(reassembly.take(fragment(message_id(1), sealed, 1), {}, start), Taken::complete);
  (void)reassembly.finish(message_id(1));
  EXPECT_EQ(first_of(4), Taken::complete);
}

TEST(Reassembly, ForgetsWhatMakesNoProgress) {
  Reassembly reassembly{piece};
  const auto sealed = some(1'000 * piece, 1);
  EXPECT_FALSE(reassembly.next_deadline());
  EXPECT_EQ(reassembly.take(fragment(message_id(1), sealed, 0), {5, {}, {}}, start), Taken::stored);
  EXPECT_EQ(reassembly.take(fragment(message_id(2), sealed, 0), {6, {}, {}}, start + 9min), Taken::stored);
  EXPECT_EQ(reassembly.next_deadline(), start + 10min);
  EXPECT_EQ(reassembly.expire(start + 10min - 1ns).size(), 0U);
  EXPECT_EQ(reassembly.expire(start + 10min), std::vector<std::uint64_t>{5});
  for (std::size_t i = 1; i < 8; ++i) {  // progress helps, up to an hour
    const auto at = start + 9min * static_cast<int>(i) + 9min;
    EXPECT_TRUE(reassembly.expire(at).empty()) << i;
    const auto taken = reassembly.take(fragment(message_id(2), sealed, i), {}, at);
    EXPECT_EQ(taken, Taken::stored);
    if (i == 6) break;
  }
  EXPECT_EQ(reassembly.expire(start + 69min), std::vector<std::uint64_t>{6});
  EXPECT_EQ(reassembly.messages(), 0U);
  EXPECT_EQ(reassembly.expired(), 2U);
}

}  // namespace
}  // namespace village::mix
