#include "village/mix/mailbox.hpp"

#include <gtest/gtest.h>

#include <map>

#include "village/base/random.hpp"

namespace village::mix {
namespace {

wire::NodeId node(std::uint8_t seed) {
  crypto::Ed25519Public key{};
  key[0] = std::byte{seed};
  return wire::NodeId::of(key);
}
sphinx::Identifier identifier(std::uint8_t seed) { return {std::byte{seed}}; }

constexpr WallTime start{std::chrono::hours{480'000}};

TEST(Mailbox, HandsOverInOrderUntilAcknowledged) {
  Mailbox box;
  const auto alice = node(1);
  ASSERT_TRUE(box.add_client(alice));
  EXPECT_EQ(box.put(alice, identifier(1), as_bytes("one"), start).value(), 1U);
  EXPECT_EQ(box.put(alice, identifier(2), as_bytes("two"), start).value(), 2U);
  const auto first = box.next(alice, 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(as_text(first->payload), "one");
  EXPECT_EQ(first->identifier, identifier(1));
  EXPECT_EQ(as_text(box.next(alice, first->sequence)->payload), "two");
  EXPECT_FALSE(box.next(alice, 2));
  EXPECT_EQ(box.next(alice, 0)->sequence, 1U) << "a new session gets it again";
  EXPECT_TRUE(box.acknowledge(alice, 1));
  EXPECT_FALSE(box.acknowledge(alice, 1));
  EXPECT_FALSE(box.acknowledge(alice, 0));
  EXPECT_FALSE(box.acknowledge(alice, 3));
  EXPECT_EQ(box.next(alice, 0)->sequence, 2U);
  EXPECT_EQ(box.waiting(alice), 1U);
}

TEST(Mailbox, ServesOnlyItsClients) {
  Mailbox box;
  EXPECT_EQ(box.put(node(1), identifier(1), as_bytes("x"), start).error().code, Errc::not_found);
  ASSERT_TRUE(box.add_client(node(1)));
  ASSERT_TRUE(box.add_client(node(2)));
  ASSERT_TRUE(box.put(node(1), identifier(1), as_bytes("x"), start));
  EXPECT_FALSE(box.next(node(2), 0));
  EXPECT_FALSE(box.acknowledge(node(2), 1));
  EXPECT_EQ(box.put(node(2), identifier(1), as_bytes("y"), start).value(), 1U) << "tells nothing of others";
  EXPECT_TRUE(box.remove_client(node(1)));
  EXPECT_FALSE(box.remove_client(node(1)));
  EXPECT_EQ(box.messages(), 1U);
  EXPECT_EQ(box.put(node(1), identifier(1), as_bytes("x"), start).error().code, Errc::not_found);
}

TEST(Mailbox, RefusesMoreThanItsBoundsAndKeepsWhatItHas) {
  Mailbox::Options options;
  options.messages_per_client_max = 3;
  options.clients_max = 2;
  options.bytes_max = 5 * (limits::mailbox_entry_bytes + 100);
  Mailbox box{options};
  ASSERT_TRUE(box.add_client(node(1)));
  ASSERT_TRUE(box.add_client(node(2)));
  ASSERT_TRUE(box.add_client(node(2)));
  EXPECT_EQ(box.add_client(node(3)).error().code, Errc::busy);
  const Bytes payload(100);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(box.put(node(1), identifier(1), payload, start));
  EXPECT_EQ(box.put(node(1), identifier(1), payload, start).error().code, Errc::busy);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(box.put(node(2), identifier(1), payload, start));
  EXPECT_EQ(box.put(node(2), identifier(1), payload, start).error().code, Errc::busy) << "bytes of all";
  EXPECT_EQ(box.messages(), 5U);
  EXPECT_TRUE(box.acknowledge(node(1), 2));
  EXPECT_EQ(box.put(node(2), identifier(1), payload, start).value(), 3U);
}

TEST(Mailbox, KeepsAPartForEachClientWhateverOthersGet) {
  constexpr std::size_t entry = limits::mailbox_entry_bytes + 100;
  Mailbox::Options options;
  options.bytes_max = 40 * entry;
  Mailbox box{options};
  for (std::uint8_t n = 1; n <= 5; ++n) ASSERT_TRUE(box.add_client(node(n)));
  const Bytes payload(100);
  const auto fill = [&](std::uint8_t n) {
    std::size_t count = 0;
    while (box.put(node(n), identifier(1), payload, start)) ++count;
    return count;
  };
  EXPECT_EQ(fill(1), 4U + 20U) << "its part and the common half";
  for (std::uint8_t n = 2; n <= 5; ++n) EXPECT_EQ(fill(n), 4U) << int{n};
  EXPECT_EQ(box.bytes(), options.bytes_max);
  for (std::uint64_t sequence = 1; sequence <= 24; ++sequence)
    ASSERT_TRUE(box.acknowledge(node(1), sequence));
  EXPECT_EQ(fill(2), 20U) << "what is common again";
  EXPECT_EQ(fill(1), 4U);
  EXPECT_TRUE(box.remove_client(node(5)));
  EXPECT_EQ(fill(3), 2U) << "four clients have parts of five, and one more is common";
  EXPECT_LE(box.bytes(), options.bytes_max);
}

TEST(Mailbox, ForgetsAfterADay) {
  Mailbox box;
  ASSERT_TRUE(box.add_client(node(1)));
  ASSERT_TRUE(box.put(node(1), identifier(1), as_bytes("old"), start));
  ASSERT_TRUE(box.put(node(1), identifier(1), as_bytes("new"), start + 1h));
  EXPECT_EQ(box.expire(start + 24h - 1ns), 0U);
  EXPECT_EQ(box.expire(start + 24h), 1U);
  EXPECT_EQ(as_text(box.next(node(1), 0)->payload), "new");
  EXPECT_EQ(box.expire(start + 25h), 1U);
  EXPECT_EQ(box.bytes(), 0U);
  EXPECT_EQ(box.put(node(1), identifier(1), as_bytes("x"), start).value(), 3U) << "sequences go on";
}

TEST(Mailbox, IsNotMovedByAWallClockThatJumps) {
  Mailbox box;
  ASSERT_TRUE(box.add_client(node(1)));
  const Instant now{1h};
  ASSERT_TRUE(box.put(node(1), identifier(1), as_bytes("one"), {start, now}));
  EXPECT_EQ(box.expire({start + 10'000h, now + 1h}), 0U) << "ahead: frees nothing";
  ASSERT_TRUE(box.put(node(1), identifier(1), as_bytes("two"), {start + 10'000h, now + 1h}));
  EXPECT_EQ(box.expire({start - 10'000h, now + 24h}), 1U) << "back: keeps nothing longer";
  EXPECT_EQ(box.expire({start, now + 25h}), 1U) << "not even what came while it was ahead";
}

TEST(Mailbox, GivesWhatAFileKeptTheRestOfItsDay) {
  Mailbox box;
  const Instant now{1h};
  ASSERT_TRUE(box.restore(node(1), {1, start - 20h, identifier(1), as_bytes("old")}, {start, now}));
  ASSERT_TRUE(
      box.restore(node(1), {2, start + 9'000h, identifier(1), as_bytes("of a clock ahead")}, {start, now}));
  EXPECT_EQ(box.expire({start, now + 4h - 1ns}), 0U);
  EXPECT_EQ(box.expire({start, now + 4h}), 1U);
  EXPECT_EQ(box.expire({start, now + 24h - 1ns}), 0U);
  EXPECT_EQ(box.expire({start, now + 24h}), 1U);
}

TEST(Mailbox, RestoresInOrderOnly) {
  Mailbox box;
  ASSERT_TRUE(box.restore(node(1), {7, start, identifier(1), as_bytes("seven")}, start));
  EXPECT_EQ(box.restore(node(1), {7, start, identifier(1), as_bytes("x")}, start).error().code,
            Errc::malformed);
  ASSERT_TRUE(box.restore(node(1), {9, start, identifier(1), as_bytes("nine")}, start));
  box.raise_sequence(node(1), 20);
  EXPECT_EQ(box.put(node(1), identifier(1), as_bytes("x"), start).value(), 21U);
  EXPECT_EQ(box.next(node(1), 7)->sequence, 9U);
}

TEST(Mailbox, EqualsASimpleModel) {
  const std::uint64_t seed = 20;
  SCOPED_TRACE(seed);
  SeededRandom random{seed};
  Mailbox box;
  ASSERT_TRUE(box.add_client(node(1)));
  std::map<std::uint64_t, Bytes> model;
  std::uint64_t last = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (random.below(2) == 0 && model.size() < 500) {
      Bytes payload(random.below(20));
      random.fill(payload);
      ASSERT_EQ(box.put(node(1), identifier(1), payload, start).value(), ++last);
      model[last] = payload;
    } else {
      const auto sequence = random.below(last + 2);
      ASSERT_EQ(box.acknowledge(node(1), sequence), model.erase(sequence) == 1);
    }
    const auto after = random.below(last + 2);
    const auto expected = model.upper_bound(after);
    const auto found = box.next(node(1), after);
    ASSERT_EQ(found.has_value(), expected != model.end());
    if (!found) continue;
    ASSERT_EQ(found->sequence, expected->first);
    ASSERT_EQ(to_bytes(found->payload), expected->second);
    ASSERT_EQ(box.waiting(node(1)), model.size());
  }
}

}  // namespace
}  // namespace village::mix
