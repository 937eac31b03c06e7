#include "village/mix/outbox.hpp"

#include <gtest/gtest.h>

#include <set>

#include "village/base/random.hpp"

namespace village::mix {
namespace {

constexpr std::size_t piece = 100;
constexpr Instant start{std::chrono::hours{1}};
constexpr WallTime wall{std::chrono::hours{490'000}};
constexpr Duration surplus = 200ms;  // the first guess: 200 ms and twice 100 ms of deviation

MessageId message_id(std::uint8_t n) { return {std::byte{n}}; }

/// sphinx::ReplyKeys of a header that nobody sends.
sphinx::ReplyKeys some_keys(RandomSource& random) {
  sphinx::Hop hop{crypto::X25519KeyPair::generate(random).public_key, {}, 0};
  return std::move(sphinx::create_reply_block({&hop, 1}, {}, {}, random).value().keys);
}

class OutboxTest : public testing::Test {
 protected:
  SeededRandom random{9};
  ReplyBlocks blocks;
  Outbox outbox{piece, surplus, blocks};
  DeliveryProof proof{std::byte{0x77}};

  void add(std::uint8_t id, std::size_t size, Instant expires = start + 1h) {
    ASSERT_TRUE(outbox.add(
        {message_id(id), PayloadType::data, Bytes(size, std::byte{id}), expires, {}, proof}, start));
  }
  /// send_one sends what is next and keeps a block for its acknowledgement.
  std::optional<ReplyPurpose> send_one(Instant now, Duration held = 400ms) {
    const auto pick = outbox.next();
    if (!pick) return std::nullopt;
    sphinx::Identifier identifier;
    random.fill(identifier);
    ReplyPurpose purpose;
    purpose.answers.message = pick->id;
    purpose.index = pick->index;
    purpose.sent = now;
    purpose.held = held;
    EXPECT_TRUE(blocks.keep(identifier, some_keys(random), purpose, wall + 1h));
    outbox.sent(*pick, identifier, held, now);
    return purpose;
  }
  std::vector<ReplyPurpose> send_all(Instant now) {
    std::vector<ReplyPurpose> sent;
    while (const auto purpose = send_one(now)) sent.push_back(*purpose);
    return sent;
  }
};

TEST_F(OutboxTest, CutsAndReportsDelivery) {
  add(1, 250);
  std::vector<std::size_t> sizes;
  std::vector<ReplyPurpose> sent;
  while (const auto pick = outbox.next()) {
    sizes.push_back(pick->data.size());
    EXPECT_EQ(pick->count, 3U);
    sent.push_back(*send_one(start));
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{100, 100, 50}));
  EXPECT_EQ(blocks.size(), 3U);
  for (const auto i : {1U, 2U}) EXPECT_TRUE(outbox.acknowledge(sent[i], proof, start + 1s));
  EXPECT_FALSE(outbox.acknowledge(sent[1], proof, start + 1s)) << "already";
  EXPECT_FALSE(outbox.poll_event());
  EXPECT_TRUE(outbox.acknowledge(sent[0], proof, start + 1s));
  const auto event = outbox.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->id, message_id(1));
  EXPECT_FALSE(event->failure);
  EXPECT_EQ(outbox.bytes(), 0U);
  EXPECT_EQ(blocks.size(), 0U);
  EXPECT_FALSE(outbox.next_deadline());
}

TEST_F(OutboxTest, BelievesNoDeliveryWithoutItsProof) {
  add(1, 150);
  const auto sent = send_all(start);
  EXPECT_TRUE(outbox.acknowledge(sent[0], {}, start + 1s));
  EXPECT_FALSE(outbox.acknowledge(sent[1], {}, start + 1s));
  EXPECT_FALSE(outbox.acknowledge(sent[1], DeliveryProof{}, start + 1s));
  EXPECT_FALSE(outbox.poll_event());
  EXPECT_TRUE(outbox.acknowledge(sent[1], proof, start + 1s));
  EXPECT_FALSE(outbox.poll_event()->failure);
}

TEST_F(OutboxTest, SendsAgainAfterOneAndAHalfTimesTheExpectedTimeAndOneAndAHalfSeconds) {
  add(1, 10);
  ASSERT_TRUE(send_one(start, 600ms));
  const auto due = start + (600ms + 400ms) * 3 / 2 + 1'500ms;
  EXPECT_EQ(outbox.next_deadline(), due);
  EXPECT_FALSE(outbox.next());
  outbox.on_deadline(due - 1ns);
  EXPECT_FALSE(outbox.next());
  outbox.on_deadline(due);
  ASSERT_TRUE(outbox.next());
  EXPECT_FALSE(outbox.next()->first_time);
}

TEST_F(OutboxTest, GivesUpAfterFiveMore) {
  add(1, 10);
  auto now = start;
  int transmissions = 0;
  while (!outbox.poll_event()) {
    if (send_one(now)) ++transmissions;
    now = outbox.next_deadline().value_or(now);
    outbox.on_deadline(now);
    ASSERT_LE(transmissions, 6);
    if (outbox.messages() == 0) break;
  }
  EXPECT_EQ(transmissions, 6);
  EXPECT_EQ(outbox.retransmissions(), 5U);
  EXPECT_EQ(blocks.size(), 0U) << "all six blocks are forgotten";
}

TEST_F(OutboxTest, TakesAcknowledgementsOfFormerTransmissions) {
  add(1, 10);
  const auto first = send_one(start).value();
  outbox.on_deadline(start + 10s);
  ASSERT_TRUE(outbox.next());
  EXPECT_TRUE(outbox.acknowledge(first, proof, start + 11s)) << "before it went again";
  EXPECT_FALSE(outbox.poll_event()->failure);
  add(2, 10);
  const auto early = send_one(start).value();
  const auto later = outbox.next_deadline().value();
  outbox.on_deadline(later);
  ASSERT_TRUE(send_one(later));
  EXPECT_TRUE(outbox.acknowledge(early, proof, later + 1s)) << "after it went again";
  EXPECT_FALSE(outbox.poll_event()->failure);
  EXPECT_FALSE(outbox.next_deadline());
}

TEST_F(OutboxTest, LearnsHowMuchLongerItTakes) {
  add(1, 3'000);
  for (const auto& purpose : send_all(start)) outbox.acknowledge(purpose, proof, start + 400ms + 3s);
  EXPECT_GT(outbox.surplus().expected(), 2s);
  for (int round = 0; round < 20; ++round) {
    add(static_cast<std::uint8_t>(2 + round), 3'000);
    for (const auto& purpose : send_all(start)) outbox.acknowledge(purpose, proof, start + 450ms);
  }
  EXPECT_LT(outbox.surplus().expected(), 100ms);
  EXPECT_GE(outbox.surplus().expected(), 50ms);
}

TEST_F(OutboxTest, LetsMessagesTakeTurns) {
  add(1, 1'000);
  add(2, 200);
  std::vector<std::uint8_t> order;
  for (int i = 0; i < 5; ++i) {
    order.push_back(std::to_integer<std::uint8_t>(outbox.next()->id[0]));
    send_one(start);
  }
  EXPECT_EQ(order, (std::vector<std::uint8_t>{1, 2, 1, 2, 1}));
}

TEST_F(OutboxTest, KeepsNoMoreThanAWindowUnderWay) {
  add(1, 60'000);
  auto sent = send_all(start);
  EXPECT_EQ(sent.size(), limits::window_start);
  std::size_t most = sent.size();
  for (int round = 0; round < 12 && outbox.messages() > 0; ++round) {
    for (const auto& purpose : sent) outbox.acknowledge(purpose, proof, start + 500ms);
    sent = send_all(start);
    most = std::max(most, sent.size());
    EXPECT_LE(sent.size(), limits::window_max);
  }
  EXPECT_GT(most, 2 * limits::window_start);
  EXPECT_EQ(outbox.messages(), 0U);
}

TEST_F(OutboxTest, StartsNoMoreThanTheRecipientKeepsUnfinished) {
  Outbox large{2'048, surplus, blocks};
  const auto add_to = [&](std::uint8_t id, std::uint8_t recipient, std::size_t size) {
    ASSERT_TRUE(large.add(
        {message_id(id), PayloadType::data, Bytes(size), start + 1h, {std::byte{recipient}}}, start));
  };
  const auto started = [&] {
    std::set<std::uint8_t> ids;
    while (const auto pick = large.next()) {
      ids.insert(std::to_integer<std::uint8_t>(pick->id[0]));
      sphinx::Identifier identifier;
      random.fill(identifier);
      large.sent(*pick, identifier, 1s, start);
    }
    return ids;
  };
  for (std::uint8_t n = 1; n <= 6; ++n) add_to(n, 1, 1 << 20);
  add_to(7, 1, 1'000);
  add_to(8, 2, 1 << 20);
  EXPECT_EQ(started(), (std::set<std::uint8_t>{1, 2, 3, 4, 7, 8})) << "4 MiB, short ones, other recipients";
  large.give_up(message_id(5), SendFailure::cancelled);  // it waited
  large.give_up(message_id(2), SendFailure::cancelled);  // it was under way
  EXPECT_EQ(started(), std::set<std::uint8_t>{6});
  for (const std::uint8_t n : std::initializer_list<std::uint8_t>{1, 3, 4, 6, 7, 8}) {
    large.give_up(message_id(n), SendFailure::cancelled);
  }
  EXPECT_EQ(large.bytes(), 0U);
}

TEST_F(OutboxTest, EndsMessagesByTimeAndByTheirSender) {
  add(1, 300, start + 2s);
  add(2, 300);
  send_all(start);
  outbox.postpone(message_id(2), start + 5s);
  EXPECT_TRUE(outbox.give_up(message_id(2), SendFailure::cancelled));
  EXPECT_FALSE(outbox.give_up(message_id(2), SendFailure::cancelled));
  EXPECT_EQ(outbox.poll_event()->failure, SendFailure::cancelled);
  outbox.on_deadline(start + 2s);
  EXPECT_EQ(outbox.poll_event()->failure, SendFailure::out_of_time);
  EXPECT_FALSE(outbox.next_deadline());
  EXPECT_EQ(blocks.size(), 0U);
}

TEST_F(OutboxTest, PostponesAMessageWithoutStoppingOthers) {
  add(1, 50);
  add(2, 50);
  outbox.postpone(outbox.next()->id, start + 2s);
  EXPECT_EQ(outbox.next()->id, message_id(2));
  ASSERT_TRUE(send_one(start));
  EXPECT_FALSE(outbox.next());
  outbox.on_deadline(start + 2s);
  EXPECT_EQ(outbox.next()->id, message_id(1));
}

TEST_F(OutboxTest, IsBounded) {
  EXPECT_EQ(outbox.add({message_id(1), PayloadType::data, {}, start}, start).error().code,
            Errc::limit_exceeded);
  EXPECT_EQ(
      outbox.add({message_id(1), PayloadType::data, Bytes(limits::fragments_max * piece + 1), start}, start)
          .error()
          .code,
      Errc::limit_exceeded);
  add(1, 10);
  EXPECT_EQ(outbox.add({message_id(1), PayloadType::data, Bytes(10), start}, start).error().code,
            Errc::already_exists);
  Outbox large{1 << 20, surplus, blocks};
  std::size_t taken = 0;
  for (std::uint8_t n = 0; n < 100; ++n) {
    if (large.add({message_id(n), PayloadType::data, Bytes(1 << 20), start}, start)) ++taken;
  }
  EXPECT_EQ(taken, 63U);
  EXPECT_LE(large.bytes(), limits::outbox_bytes_max);
}

TEST(ReplyBlocks, AreFoundUntilUsedOrExpired) {
  SeededRandom random{3};
  ReplyBlocks blocks{2};
  const sphinx::Identifier a{std::byte{1}}, b{std::byte{2}}, c{std::byte{3}};
  ASSERT_TRUE(blocks.keep(a, some_keys(random), {}, wall + 10s));
  EXPECT_EQ(blocks.keep(a, some_keys(random), {}, wall + 10s).error().code, Errc::already_exists);
  ASSERT_TRUE(blocks.keep(b, some_keys(random), {}, wall + 20s));
  EXPECT_EQ(blocks.keep(c, some_keys(random), {}, wall + 20s).error().code, Errc::busy);
  EXPECT_NE(blocks.find(a, wall), nullptr);
  EXPECT_EQ(blocks.find(a, wall + 10s), nullptr) << "not used late, even before it is expired";
  EXPECT_EQ(blocks.expire(wall + 10s), 1U);
  blocks.forget(b);
  blocks.forget(b);
  EXPECT_EQ(blocks.find(b, wall), nullptr);
  EXPECT_EQ(blocks.size(), 0U);
}

TEST(ReplyBlocks, LiveUntilTheirEpochAndItsOverlap) {
  const Epochs epochs{20s, 5s};
  EXPECT_EQ(ReplyBlocks::lives_until(epochs, 10), epochs.end(10) + 5s);
  EXPECT_GT(ReplyBlocks::lives_until(epochs, ~Epoch{0}), wall) << "a peer names the epoch";
}

}  // namespace
}  // namespace village::mix
