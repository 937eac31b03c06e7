// What no honest sender or neighbour sends, against a whole node.
#include <gtest/gtest.h>

#include "mix/worker_world.hpp"
#include "sphinx/forge.hpp"
#include "village/mix/delay_queue.hpp"

namespace village::mix {
namespace {

using sphinx::test::Alpha;
using sphinx::test::Forger;
using sphinx::test::Slot;
using test::NodeWorld;
using Wish = NodeWorld::Wish;

constexpr std::uint32_t current_version = 259;

/// Foundry makes frames for a node whose MAC holds, with any point and slot.
struct Foundry {
  explicit Foundry(NodeWorld& world) : node{world}, forger{world.keys.find(world.epoch)->sphinx_private} {}
  Bytes frame(const Alpha& alpha, const Slot& slot) {
    Bytes bytes(frame_header_bytes);
    write_frame_header(Profile::n2048, Epochs::rotation(node.epoch),
                       std::span{bytes}.first<frame_header_bytes>());
    const auto payload = sphinx::test::plain_payload(as_bytes("hello"), 1'700);
    const auto packet = forger.packet(alpha, slot, payload, node.random);
    bytes.insert(bytes.end(), packet.begin(), packet.end());
    return bytes;
  }
  Slot slot(unsigned flag, std::uint32_t version, std::uint64_t delay_ns = 0) {
    auto slot = Forger::any_slot(flag, version, node.random);
    std::ranges::copy(test::address_of(3), slot.begin() + sphinx::slot_address_at);
    for (std::size_t i = 0; i < 8; ++i)
      slot[sphinx::slot_delay_at + i] = static_cast<std::byte>(delay_ns >> (56 - 8 * i) & 0xFF);
    return slot;
  }
  Alpha alpha() { return crypto::X25519KeyPair::generate(node.random).public_key; }

  NodeWorld& node;
  Forger forger;
};

/// Counter counts what reaches the first scalar multiplication.
struct Counter final : WorkerProbe {
  void ended(Stage stage, std::size_t packets) override {
    if (stage == Stage::opened) opened += packets;
  }
  void ended(sphinx::Phase) override {}
  std::size_t opened = 0;
};

TEST(WorkerHostile, FlagsAndVersionsOfASlotHaveTheirReasons) {
  NodeWorld node;
  Foundry foundry{node};
  std::uint64_t flags = 0, versions = 0, good = 0;
  for (unsigned flag = 0; flag < 256; ++flag) {
    if (flag == 1 || flag == 2) continue;
    EXPECT_TRUE(node.submit(foundry.frame(foundry.alpha(), foundry.slot(flag, current_version))));
    ++flags;
    if (flag % 16 == 0) good += node.submit(node.frame());  // among good ones
    if (node.workers[0]->batch_full()) node.run();
  }
  for (const std::uint32_t version : {0U, 1U, 257U, 260U, 0xFFFFU, 0x010103U, 0x800102U, 0xFFFFFFU}) {
    EXPECT_TRUE(node.submit(foundry.frame(foundry.alpha(), foundry.slot(1, version))));
    EXPECT_TRUE(node.submit(foundry.frame(foundry.alpha(), foundry.slot(2, version))));
    versions += 2;
  }
  for (const std::uint32_t version : {258U, 259U})
    good += node.submit(foundry.frame(foundry.alpha(), foundry.slot(1, version)));
  node.settle();
  EXPECT_EQ(node.drops(Drop::flag), flags);
  EXPECT_EQ(node.drops(Drop::version), versions);
  EXPECT_EQ(node.sent().size(), good);
  EXPECT_EQ(node.workers[0]->replay_tags(), good);  // refused ones fill no filter
  EXPECT_TRUE(node.balanced());
}

TEST(WorkerHostile, PointsOfLowOrderAreDroppedThoughTheirMacHolds) {
  NodeWorld node;
  Foundry foundry{node};
  std::uint64_t count = 0;
  for (auto alpha : sphinx::test::low_order_points()) {
    for (const auto top : {std::byte{0}, std::byte{0x80}}) {
      alpha[31] |= top;
      EXPECT_TRUE(node.submit(foundry.frame(alpha, foundry.slot(1, current_version))));
      ++count;
    }
  }
  EXPECT_TRUE(node.submit(node.frame()));
  node.settle();
  EXPECT_EQ(node.drops(Drop::low_order), count);
  EXPECT_EQ(node.sent().size(), 1U);
  EXPECT_TRUE(node.balanced());
}

TEST(WorkerHostile, APointPassesOnceHoweverItIsEncoded) {
  NodeWorld node;
  Foundry foundry{node};
  std::uint64_t points = 0;
  for (unsigned coordinate = 2; coordinate < 19; ++coordinate) {  // 0 and 1 are of low order
    for (auto alpha : {sphinx::test::non_canonical(coordinate), sphinx::test::point_of(coordinate)}) {
      for (const auto top : {std::byte{0x80}, std::byte{0}}) {
        alpha[31] = (alpha[31] & std::byte{0x7F}) | top;
        // Another slot and MAC each time: the tag comes of the shared secret alone.
        EXPECT_TRUE(node.submit(foundry.frame(alpha, foundry.slot(1, current_version))));
      }
    }
    ++points;
    if (coordinate % 5 == 0) node.settle();  // in one batch, and over several
  }
  node.settle();
  EXPECT_EQ(node.sent().size(), points);
  EXPECT_EQ(node.drops(Drop::replay), 3 * points);
  EXPECT_EQ(node.workers[0]->replay_tags(), points);
  EXPECT_TRUE(node.balanced());
}

TEST(WorkerHostile, ForgeriesFillNoReplayFilter) {
  NodeWorld node;
  node.install(node.epoch, 1, 64);
  for (int i = 0; i < 200; ++i) {
    auto frame = node.frame();
    frame[frame_header_bytes + 40] ^= std::byte{1};
    EXPECT_TRUE(node.submit(frame));
    if (i % 64 == 0) node.settle();
  }
  node.settle();
  EXPECT_EQ(node.drops(Drop::mac), 200U);
  EXPECT_EQ(node.workers[0]->replay_tags(), 0U);
  EXPECT_FALSE(node.workers[0]->replay_closed());
  node.submit(node.frame());
  node.settle();
  EXPECT_EQ(node.sent().size(), 1U);
}

TEST(WorkerHostile, AFloodReachesNoScalarMultiplication) {
  auto options = NodeWorld::small();
  options.rates.neighbour_pps = 1'000;
  options.rates.neighbour_burst = 10;
  NodeWorld node{options};
  Counter counter;
  node.workers[0]->set_probe(&counter);
  const auto frame = node.frame();
  for (int i = 0; i < 10'000; ++i) {
    node.submit(frame, 1);
    if (i % 100 == 0) node.run();
  }
  EXPECT_TRUE(node.submit(node.frame(), 2));
  node.settle();
  EXPECT_EQ(node.drops(Drop::rate), 9'990U);
  EXPECT_EQ(counter.opened, 11U);
  EXPECT_EQ(node.sent().size(), 2U);
  EXPECT_TRUE(node.balanced());
  node.workers[0]->set_probe(nullptr);
}

TEST(WorkerHostile, WhatTheFrontRefusesReachesNoScalarMultiplication) {
  NodeWorld node;
  Counter counter;
  node.workers[0]->set_probe(&counter);
  auto frame = node.frame();
  for (std::size_t at = 0; at < frame_header_bytes; ++at) {
    auto wrong = frame;
    wrong[at] ^= std::byte{0x10};
    EXPECT_FALSE(node.submit(wrong));
  }
  EXPECT_FALSE(node.submit({}));
  frame.push_back(std::byte{0});
  EXPECT_FALSE(node.submit(frame));
  node.settle();
  EXPECT_EQ(counter.opened, 0U);
  EXPECT_EQ(node.workers[0]->counters().drops.total(), frame_header_bytes + 2);
  EXPECT_EQ(node.drops(Drop::length), 3U);  // the size tag among them
  node.workers[0]->set_probe(nullptr);
}

TEST(WorkerHostile, EveryDelayOfAHeaderHasItsFate) {
  NodeWorld node;
  const auto max_ns = static_cast<std::uint64_t>(Duration{node.options.delays.delay_max}.count());
  const auto epochs_ns = static_cast<std::uint64_t>(3 * node.options.epochs.length.count());
  const std::vector<std::uint64_t> taken{0, 1, 20'000'000, max_ns - 1, max_ns, max_ns + 1, epochs_ns};
  const std::vector<std::uint64_t> refused{epochs_ns + 1, std::uint64_t{1} << 62, std::uint64_t{1} << 63,
                                           (std::uint64_t{1} << 63) - 1, ~std::uint64_t{0}};
  for (const auto& delays : {taken, refused})
    for (const auto delay : delays) EXPECT_TRUE(node.submit(node.frame(Wish{delay, 3, false, {}})));
  const auto came = node.now;
  node.pass(1ms);
  node.run();
  EXPECT_EQ(node.drops(Drop::delay), refused.size());
  EXPECT_EQ(node.workers[0]->counters().delays_zero, 1U);
  EXPECT_EQ(node.workers[0]->counters().delays_clamped, 2U);
  EXPECT_EQ(node.sent().size(), 2U);  // 0 and 1 ns
  while (const auto due = node.workers[0]->next_deadline()) {
    EXPECT_LE(*due, came + node.options.delays.delay_max + DelayQueue::tick);
    node.pass(*due - node.now);
    node.run();
  }
  EXPECT_EQ(node.sent().size(), taken.size() - 2);
  EXPECT_TRUE(node.balanced());
}

TEST(WorkerHostile, AGatewayThatTakesNothingIsARingThatIsFull) {
  NodeWorld node;
  Wish last;
  last.last = true;
  const std::size_t room = node.options.ingress_packets + node.options.held_packets;
  const std::size_t count = room + 40;
  for (std::size_t i = 0; i < count; ++i) {
    node.submit(node.frame(last));
    if (node.workers[0]->batch_full()) node.run();
  }
  node.settle();
  EXPECT_EQ(node.drops(Drop::ring), 40U);
  EXPECT_EQ(node.workers[0]->in_flight(), room);
  EXPECT_EQ(node.delivered().size(), room);
  EXPECT_TRUE(node.submit(node.frame()));  // and all goes on
  node.settle();
  EXPECT_EQ(node.sent().size(), 1U);
  EXPECT_TRUE(node.balanced());
}

TEST(WorkerHostile, ASleepingMachineSendsNothingLate) {
  NodeWorld node;
  for (int i = 0; i < 20; ++i) node.submit(node.frame());
  node.pass(1ms);
  node.run();
  EXPECT_EQ(node.workers[0]->held(), 20U);
  for (int i = 0; i < 5; ++i) node.submit(node.frame());
  node.pass(8h);  // suspended
  node.run();
  EXPECT_TRUE(node.sent().empty());
  EXPECT_EQ(node.drops(Drop::late), 25U);
  node.wall -= 8h;  // the wall clock is as it was; only the other one went on
  node.submit(node.frame());
  node.settle();
  EXPECT_EQ(node.sent().size(), 1U);
  EXPECT_TRUE(node.balanced());
}

// Senders' clocks differ; keys come and go while packets of two epochs share batches.
TEST(WorkerHostile, EpochsChangeUnderLoadAndNothingIsLostWithinTheOverlap) {
  NodeWorld node;  // 30 s an epoch, 15 s of overlap, 3 s early
  constexpr Duration step = 100ms;
  const auto begin = node.wall;
  const std::array<Duration, 3> good{0s, -14s, 2s};
  const std::array<Duration, 2> bad{-17s, 5s};
  for (Epoch epoch = node.epoch - 1; epoch <= node.epoch + 3; ++epoch) node.keys.generate(epoch, node.random);
  struct Planned {
    WallTime when;
    bool in_time;
    Bytes frame;
  };
  std::vector<Planned> plan;
  const auto send = [&](WallTime when, Duration skew, bool in_time) {
    const auto epoch = node.options.epochs.at(when + skew);
    const auto differs = epoch != node.options.epochs.at(when);
    if (!in_time && !differs) return;
    const auto into = when - node.options.epochs.start(node.options.epochs.at(when));
    // What the clock is wrong by counts only outside of the windows.
    if (!in_time && skew < 0s && into < node.options.epochs.overlap) return;
    if (!in_time && skew > 0s && into >= node.options.epochs.length - node.options.epochs.early_time())
      return;
    plan.push_back({when, in_time, node.frame(Wish{0, 3, false, epoch})});
  };
  for (auto when = begin; when < begin + 70s; when += step) {
    for (const auto skew : good) send(when, skew, true);
    for (const auto skew : bad) send(when, skew, false);
  }
  node.install(node.epoch - 1);
  std::size_t in_time = 0, out_of_time = 0, sent = 0, wiped = 0;
  auto installed = node.epoch;
  for (const auto& packet : plan) {
    node.pass(packet.when - node.wall);
    for (const auto gone : node.keys.expire(node.now, node.wall)) {
      node.workers[0]->remove(gone);
      ++wiped;
    }
    while (installed <= node.options.epochs.at(node.wall)) node.install(++installed);
    EXPECT_EQ(node.submit(packet.frame), packet.in_time);
    ++(packet.in_time ? in_time : out_of_time);
    node.run();
    sent += node.sent().size();
  }
  node.settle();
  sent += node.sent().size();
  EXPECT_EQ(sent, in_time);
  EXPECT_EQ(node.drops(Drop::route), out_of_time);
  EXPECT_EQ(node.workers[0]->counters().drops.total(), out_of_time);
  EXPECT_GT(out_of_time, 50U);
  EXPECT_EQ(wiped, 2U);
  EXPECT_TRUE(node.balanced());
}

// A verdict of another worker may come when the key has gone already.
TEST(WorkerHostile, AKeyThatGoesWhileAVerdictIsOutReleasesNothingBeforeItsTime) {
  for (const auto policy : {DelayPolicy::header, DelayPolicy::vrf, DelayPolicy::max}) {
    SCOPED_TRACE(static_cast<int>(policy));
    auto options = NodeWorld::small();
    options.delays.policy = policy;
    options.delays.distribution = DelayDistribution::exponential(1s).value();
    NodeWorld node{options, 2};
    for (int i = 0; i < 64; ++i) node.submit(node.frame(Wish{1'000'000, 3, false, {}}));
    node.workers[0]->run(node.now);
    EXPECT_GT(node.workers[0]->counters().tags_sent, 0U);
    node.workers[0]->remove(node.epoch);
    node.run();
    const auto held = node.workers[0]->held();
    EXPECT_EQ(held + node.drops(Drop::route), 64U);
    EXPECT_TRUE(node.sent().empty());
    node.pass(1ms + DelayQueue::tick);
    node.run();
    // A header's delay stands in the packet; the node's own draw is gone with its key.
    EXPECT_EQ(node.sent().size(), policy == DelayPolicy::header ? 64U : 0U);
    EXPECT_EQ(node.drops(Drop::route), policy == DelayPolicy::header ? 0U : 64U);
    EXPECT_TRUE(node.balanced());
  }
}

}  // namespace
}  // namespace village::mix
