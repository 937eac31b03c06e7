#include "village/mix/worker.hpp"

#include <gtest/gtest.h>

#include "mix/worker_world.hpp"
#include "support/allocations.hpp"
#include "village/mix/delay_queue.hpp"
#include "village/sphinx/payload.hpp"

namespace village::mix {
namespace {

using test::NodeWorld;
using Wish = NodeWorld::Wish;

TEST(Worker, ForwardsWhatUnwrapGives) {
  NodeWorld node;
  const auto in = node.frame();
  auto expected = in;
  sphinx::Unwrapped found;
  ASSERT_EQ(sphinx::unwrap(node.keys.find(node.epoch)->sphinx_private, 1'700,
                           ByteSpan{expected}.subspan(frame_header_bytes), found),
            sphinx::Reject::none);
  EXPECT_TRUE(node.submit(in));
  EXPECT_EQ(node.workers[0]->next_deadline(), node.now + 1ms);
  node.settle();
  const auto out = node.sent();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].next, 3U);
  EXPECT_EQ(out[0].frame, expected);
  EXPECT_EQ(node.workers[0]->counters().forwarded, 1U);
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, SubtractsTheTimeInTheBatchFromTheDelay) {
  NodeWorld node;
  node.submit(node.frame());
  const auto arrived = node.now;
  node.pass(15ms);  // a long wait for its batch
  node.run();
  const auto due = node.workers[0]->next_deadline();
  ASSERT_TRUE(due);
  EXPECT_GE(*due, arrived + 20ms);
  EXPECT_LE(*due, arrived + 20ms + DelayQueue::tick);
  node.now = *due - 1ns;
  node.run();
  EXPECT_TRUE(node.sent().empty());
  node.now = *due;
  node.run();
  EXPECT_EQ(node.sent().size(), 1U);
}

TEST(Worker, OpensABatchWhenItIsFullOrHasWaited) {
  NodeWorld node;
  for (int i = 0; i < 63; ++i) node.submit(node.frame());
  EXPECT_FALSE(node.workers[0]->batch_full());
  node.run();
  EXPECT_EQ(node.workers[0]->counters().batches, 0U);
  node.submit(node.frame());
  EXPECT_TRUE(node.workers[0]->batch_full());
  node.run();
  EXPECT_EQ(node.workers[0]->counters().batches, 1U);
  node.submit(node.frame());
  node.pass(1ms);
  node.run();
  EXPECT_EQ(node.workers[0]->counters().batches, 2U);
}

TEST(Worker, HandsThePayloadOfItsOwnToTheGateway) {
  NodeWorld node;
  Wish wish;
  wish.last = true;
  node.submit(node.frame(wish));
  node.pass(1ms);
  node.run();
  std::array<Delivered, 2> out;
  ASSERT_EQ(node.workers[0]->poll_delivered(out), 1U);
  EXPECT_EQ(out[0].destination[0], std::byte{0xDD});
  EXPECT_EQ(out[0].identifier[0], std::byte{0x1D});
  EXPECT_EQ(out[0].epoch, node.epoch);
  const auto message = sphinx::open_payload(out[0].payload);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->size(), 32U);
  node.workers[0]->done(out[0].held);
  EXPECT_EQ(node.workers[0]->counters().delivered, 1U);
  EXPECT_EQ(node.workers[0]->in_flight(), 0U);
}

TEST(Worker, CountsADamagedPayloadThatItsOwnerRefused) {
  NodeWorld node;
  Wish wish;
  wish.last = true;
  auto frame = node.frame(wish);
  frame[1'000] ^= std::byte{1};
  node.submit(frame);
  node.settle();
  std::array<Delivered, 2> out;
  ASSERT_EQ(node.workers[0]->poll_delivered(out), 1U);
  EXPECT_FALSE(sphinx::open_payload(out[0].payload));
  node.workers[0]->drop(out[0].held, Drop::payload);
  EXPECT_EQ(node.drops(Drop::payload), 1U);
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, DropsReplaysHoweverTheyAreDressed) {
  NodeWorld node;
  const auto frame = node.frame();
  auto bit = frame, payload = frame;
  bit[frame_header_bytes + 31] ^= std::byte{0x80};  // ignored by X25519: the same shared secret
  payload[1'500] ^= std::byte{1};
  node.submit(frame);
  node.submit(frame);  // in the same batch
  node.settle(1ms);
  for (const auto& again : {frame, bit, payload}) node.submit(again, 5);
  node.settle(30ms);
  EXPECT_EQ(node.sent().size(), 1U);
  EXPECT_EQ(node.drops(Drop::replay), 4U);
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, NamesEveryReasonOfFrameAndHeader) {
  NodeWorld node;
  const auto good = node.frame();
  const auto changed = [&](std::size_t at, std::byte value) {
    auto frame = good;
    frame[at] = value;
    return frame;
  };
  EXPECT_FALSE(node.submit(Bytes(2'051)));
  EXPECT_EQ(node.drops(Drop::length), 1U);
  EXPECT_FALSE(node.submit(changed(0, std::byte{7})));
  EXPECT_EQ(node.drops(Drop::version), 1U);
  EXPECT_FALSE(node.submit(changed(2, std::byte{1})));
  EXPECT_EQ(node.drops(Drop::flag), 1U);
  EXPECT_FALSE(node.submit(changed(3, std::byte{0})));
  EXPECT_EQ(node.drops(Drop::route), 1U);
  auto zero = good;
  std::fill_n(zero.begin() + frame_header_bytes, 32, std::byte{0});
  EXPECT_TRUE(node.submit(zero));
  EXPECT_TRUE(node.submit(changed(100, good[100] ^ std::byte{1})));
  Wish impossible;
  impossible.delay_ns = std::uint64_t{1} << 63;
  EXPECT_TRUE(node.submit(node.frame(impossible)));
  Wish nowhere;
  nowhere.next = 77;
  EXPECT_TRUE(node.submit(node.frame(nowhere)));
  node.settle();
  EXPECT_EQ(node.drops(Drop::low_order), 1U);
  EXPECT_EQ(node.drops(Drop::mac), 1U);
  EXPECT_EQ(node.drops(Drop::delay), 1U);
  EXPECT_EQ(node.drops(Drop::route), 2U);
  EXPECT_TRUE(node.sent().empty());
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, AnyFlippedBitOfAHeaderIsDropped) {
  NodeWorld node;
  std::size_t flipped = 0;
  for (std::size_t bit = 0; bit < 48 * 8; bit += 7) {  // alpha and MAC; beta is the MAC's
    if (bit == 255) continue;
    auto frame = node.frame();
    frame[frame_header_bytes + bit / 8] ^= std::byte(1U << bit % 8);
    ASSERT_TRUE(node.submit(frame));
    ++flipped;
    node.settle();
  }
  EXPECT_EQ(node.drops(Drop::mac), flipped);
  EXPECT_TRUE(node.sent().empty());
}

TEST(Worker, SendsZeroDelaysWithTheNextBatchAndCountsThem) {
  NodeWorld node;
  Wish zero, huge;
  zero.delay_ns = 0;
  huge.delay_ns = 80'000'000'000;
  node.submit(node.frame(zero));
  node.submit(node.frame(huge));
  node.pass(1ms);
  node.run();
  EXPECT_EQ(node.sent().size(), 1U);
  EXPECT_EQ(node.workers[0]->counters().delays_zero, 1U);
  EXPECT_EQ(node.workers[0]->counters().delays_clamped, 1U);
  node.pass(10s);
  node.run();
  EXPECT_EQ(node.sent().size(), 1U);
}

TEST(Worker, LetsAFloodPayBeforeAnythingIsComputed) {
  auto options = NodeWorld::small();
  options.rates.neighbour_pps = 1'000;
  options.rates.neighbour_burst = 10;
  NodeWorld node{options};
  const auto frame = node.frame();
  for (int i = 0; i < 100; ++i) node.submit(frame, 1);
  EXPECT_EQ(node.drops(Drop::rate), 90U);
  EXPECT_TRUE(node.submit(node.frame(), 2));  // others are not touched
  node.settle();
  EXPECT_EQ(node.sent().size(), 2U);
  EXPECT_EQ(node.drops(Drop::replay), 9U);
  EXPECT_FALSE(node.submit(frame, NodeWorld::neighbours));  // nobody's number
  EXPECT_EQ(node.drops(Drop::rate), 91U);
}

TEST(Worker, DropsTheNewestWhenItsIngressIsFull) {
  NodeWorld node;
  const auto frame = node.frame();
  for (int i = 0; i < 300; ++i) node.submit(frame);
  EXPECT_EQ(node.drops(Drop::ring), 44U);
  node.settle();
  EXPECT_EQ(node.sent().size(), 1U);
  EXPECT_EQ(node.drops(Drop::replay), 255U);
}

TEST(Worker, KeepsPlacesForShortDelaysWhenLongOnesFillIt) {
  NodeWorld node;
  Wish slow, quick;
  slow.delay_ns = 9'000'000'000;
  quick.delay_ns = 5'000'000;
  for (int i = 0; i < 700; ++i) {
    node.submit(node.frame(slow));
    if (i % 64 == 63) node.run();
  }
  node.settle(0ms);
  const auto refused = node.drops(Drop::ring);
  EXPECT_GE(refused, 60U);
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(node.submit(node.frame(quick)));
  node.settle(6ms);
  EXPECT_EQ(node.sent().size(), 60U);
  EXPECT_EQ(node.drops(Drop::ring), refused);
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, DropsWhatWaitedTooLong) {
  NodeWorld node;
  node.submit(node.frame());
  node.pass(251ms);
  node.submit(node.frame());
  node.run();
  EXPECT_EQ(node.drops(Drop::late), 1U);  // not opened in time
  node.settle();
  EXPECT_EQ(node.sent().size(), 1U);
  node.submit(node.frame());
  node.pass(1ms);
  node.run();
  node.pass(600ms);
  node.run();
  EXPECT_EQ(node.drops(Drop::late), 2U);  // not released in time
  EXPECT_TRUE(node.sent().empty());
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, CountsWhatAStuckLinkCouldNotTake) {
  NodeWorld node;
  node.submit(node.frame());
  node.settle();
  std::array<Released, 1> out;
  ASSERT_EQ(node.workers[0]->poll_released(out), 1U);
  node.workers[0]->drop(out[0].held, Drop::ring);
  EXPECT_EQ(node.drops(Drop::ring), 1U);
  EXPECT_EQ(node.workers[0]->counters().forwarded, 0U);
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, OpensPacketsOfTwoEpochsInOneBatch) {
  NodeWorld node;
  node.keys.generate(node.epoch - 1, node.random);
  Wish old;
  old.of = node.epoch - 1;
  EXPECT_FALSE(node.submit(node.frame(old)));  // the key is not here
  EXPECT_EQ(node.drops(Drop::route), 1U);
  node.install(node.epoch - 1);
  EXPECT_TRUE(node.submit(node.frame(old)));
  EXPECT_TRUE(node.submit(node.frame()));
  node.settle();
  EXPECT_EQ(node.workers[0]->counters().batches, 1U);
  const auto out = node.sent();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_NE(out[0].frame[3], out[1].frame[3]);  // each keeps its rotation
}

TEST(Worker, FollowsTheWallClockWhereverItJumps) {
  NodeWorld node;
  const auto frame = node.frame();
  const auto right = node.wall;
  for (const auto jump : {-31s, 60s, 100'000s}) {  // other epochs: no key
    node.wall = right + jump;
    EXPECT_FALSE(node.submit(frame));
  }
  node.wall = WallTime{-5s};
  EXPECT_FALSE(node.submit(frame));
  EXPECT_EQ(node.drops(Drop::route), 4U);
  node.wall = right;
  EXPECT_TRUE(node.submit(frame));
  node.wall = right + 1h;  // a packet inside is held by the other clock
  node.settle();
  EXPECT_EQ(node.sent().size(), 1U);
}

TEST(Worker, DropsWhatWaitsForAKeyThatGoes) {
  NodeWorld node;
  node.submit(node.frame());
  node.workers[0]->remove(node.epoch);
  EXPECT_FALSE(node.workers[0]->has(node.epoch));
  node.settle();
  EXPECT_EQ(node.drops(Drop::route), 1U);
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, ForwardsNothingWithoutADirectory) {
  NodeWorld node;
  node.submit(node.frame());
  node.workers[0]->set_routes(nullptr);
  EXPECT_FALSE(node.submit(node.frame()));
  node.settle();
  EXPECT_TRUE(node.sent().empty());
  EXPECT_EQ(node.drops(Drop::route), 2U);
}

TEST(Worker, TakesAtMostItsEpochs) {
  NodeWorld node;
  for (Epoch i = 1; i < limits::node_epochs_max; ++i) node.install(node.epoch + i);
  const auto one_more = node.keys.generate(node.epoch + 9, node.random);
  const auto shard = [] { return std::make_unique<ReplayShard>(ReplayFilter{1, 16}, nullptr); };
  EXPECT_EQ(node.workers[0]->install(one_more, shard()).error().code, Errc::limit_exceeded);
  node.workers[0]->remove(node.epoch);
  EXPECT_TRUE(node.workers[0]->install(one_more, shard()));
}

TEST(Worker, ClosesAKeyWhoseFilterIsFull) {
  NodeWorld node;
  node.install(node.epoch, 1, 10);
  for (int i = 0; i < 12; ++i) node.submit(node.frame());
  node.settle();
  EXPECT_EQ(node.sent().size(), 10U);
  EXPECT_EQ(node.drops(Drop::replay), 2U);
  EXPECT_EQ(node.workers[0]->counters().replay_refused, 2U);
  EXPECT_TRUE(node.workers[0]->replay_closed());
  node.install(node.epoch + 1);
  EXPECT_EQ(node.workers[0]->replay_tags(), 10U);
}

TEST(Worker, HoldsByItsOwnDrawAndAnAuditorFindsItRight) {
  auto options = NodeWorld::small();
  options.delays.policy = DelayPolicy::vrf;
  NodeWorld node{options};
  const auto& key = node.keys.find(node.epoch)->sphinx_private;
  std::vector<Observation> seen;
  for (int i = 0; i < 20; ++i) {
    const auto frame = node.frame();
    auto copy = frame;
    sphinx::Unwrapped found;
    ASSERT_EQ(sphinx::unwrap(key, 1'700, ByteSpan{copy}.subspan(frame_header_bytes), found),
              sphinx::Reject::none);
    node.submit(frame);
    const auto arrived = node.now;
    node.pass(1ms);
    node.run();
    while (node.sent().empty()) {
      node.pass(100us);
      node.run();
    }
    seen.push_back({found.tag, found.routing.delay_ns, node.now - arrived});
  }
  const auto over = options.epochs.end(node.epoch) + 1h;
  node.keys.expire(node.now, over);
  const auto published = node.keys.publishable(node.epoch, over, 10s);
  ASSERT_TRUE(published);
  const auto audit = DelayAudit::open(node.keys.vrf_public(), *published).value();
  for (auto& one : seen) {
    EXPECT_TRUE(audit.judge(one, options.delays, 1ms).holds);
    one.held += 5ms;
    EXPECT_FALSE(audit.judge(one, options.delays, 1ms).holds);
  }
}

TEST(Worker, DrainsWhatItHoldsOrCountsIt) {
  NodeWorld node;
  Wish slow;
  slow.delay_ns = 5'000'000'000;
  for (int i = 0; i < 5; ++i) node.submit(node.frame());
  for (int i = 0; i < 3; ++i) node.submit(node.frame(slow));
  node.workers[0]->stop();
  EXPECT_FALSE(node.submit(node.frame()));
  node.run();  // does not wait for a full batch any more
  EXPECT_EQ(node.workers[0]->counters().batches, 1U);
  node.pass(25ms);
  node.run();
  EXPECT_EQ(node.sent().size(), 5U);
  EXPECT_EQ(node.workers[0]->in_flight(), 3U);
  EXPECT_EQ(node.workers[0]->abandon(), 3U);
  EXPECT_EQ(node.workers[0]->counters().abandoned, 3U);
  EXPECT_EQ(node.workers[0]->in_flight(), 0U);
  EXPECT_EQ(node.workers[0]->next_deadline(), std::nullopt);
  EXPECT_TRUE(node.balanced());
}

TEST(Worker, AllocatesNothingOnceItRuns) {
  for (const auto policy : {DelayPolicy::header, DelayPolicy::vrf}) {
    auto options = NodeWorld::small();
    options.delays.policy = policy;
    NodeWorld node{options};
    std::vector<Bytes> frames;
    for (int i = 0; i < 320; ++i) frames.push_back(node.frame());
    std::array<Released, 64> out;
    const auto push = [&](std::size_t begin, std::size_t end) {
      for (auto i = begin; i < end; ++i) node.submit(frames[i]);
      node.run();
      node.pass(600ms);
      node.run();
      for (std::size_t count; (count = node.workers[0]->poll_released(out)) > 0;)
        for (const auto& item : std::span{out}.first(count)) node.workers[0]->done(item.held);
    };
    push(0, 64);
    const auto before = village::test::allocation_count();
    for (std::size_t i = 1; i < 5; ++i) push(64 * i, 64 * i + 64);
    EXPECT_EQ(village::test::allocation_count(), before);
    const auto& counters = node.workers[0]->counters();
    EXPECT_EQ(counters.forwarded + counters.drops[Drop::late], 320U);
  }
}

}  // namespace
}  // namespace village::mix
