// Workers that keep each other's tags.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "mix/worker_world.hpp"
#include "support/allocations.hpp"

namespace village::mix {
namespace {

using test::NodeWorld;

TEST(WorkerMesh, LetsAPacketPassOnceWhicheverWorkersSeeIt) {
  NodeWorld node{NodeWorld::small(), 3};
  for (int i = 0; i < 60; ++i) {
    const auto frame = node.frame();
    for (std::size_t worker = 0; worker < 3; ++worker) EXPECT_TRUE(node.submit(frame, 0, worker));
  }
  node.settle(30ms);
  std::size_t count = 0;
  for (std::size_t worker = 0; worker < 3; ++worker) count += node.sent(worker).size();
  EXPECT_EQ(count, 60U);
  EXPECT_EQ(node.drops(Drop::replay), 120U);
  EXPECT_TRUE(node.balanced());
  for (const auto& worker : node.workers) EXPECT_GT(worker->replay_tags(), 5U);  // each keeps its share
}

TEST(WorkerMesh, ReleasesNothingBeforeTheOwnersAnswer) {
  NodeWorld node{NodeWorld::small(), 2};
  auto& asker = *node.workers[0];
  auto& owner = *node.workers[1];
  for (int i = 0; i < 64; ++i) node.submit(node.frame());
  asker.run(node.now);
  EXPECT_EQ(asker.take_wakeups(), 0b10U);
  EXPECT_EQ(asker.take_wakeups(), 0U);
  EXPECT_GT(asker.counters().tags_sent, 10U);
  node.pass(100ms);
  asker.run(node.now);
  EXPECT_EQ(node.sent().size(), 0U);  // its own tags are fresh, but the batch waits
  owner.run(node.now);
  EXPECT_EQ(owner.take_wakeups(), 0b01U);
  EXPECT_EQ(owner.counters().tags_answered, asker.counters().tags_sent);
  asker.run(node.now);
  EXPECT_EQ(node.sent().size(), 64U);
}

TEST(WorkerMesh, AnswersAndRingsBeforeItsOwnBatches) {
  NodeWorld node{NodeWorld::small(), 2};
  auto& asker = *node.workers[0];
  auto& owner = *node.workers[1];
  for (int i = 0; i < 64; ++i) node.submit(node.frame());
  asker.run(node.now);
  for (int i = 0; i < 64; ++i) node.submit(node.frame(), 0, 1);
  std::vector<std::uint64_t> rung;
  owner.set_bell([&](std::uint64_t workers) {
    EXPECT_EQ(workers, 0b01U);
    EXPECT_EQ(owner.counters().tags_answered, asker.counters().tags_sent);
    rung.push_back(owner.counters().batches);
  });
  owner.run(node.now);
  EXPECT_EQ(rung, std::vector<std::uint64_t>{0});  // before it opened a batch
  EXPECT_EQ(owner.counters().batches, 1U);
  EXPECT_EQ(owner.take_wakeups(), 0b01U);  // its own question
}

TEST(WorkerMesh, GoesOnWithOtherBatchesWhileOneWaits) {
  NodeWorld node{NodeWorld::small(), 2};
  for (std::size_t i = 0; i < limits::open_batches_max + 2; ++i) {
    for (int j = 0; j < 20; ++j) node.submit(node.frame());
    node.pass(1ms);
    node.workers[0]->run(node.now);
  }
  EXPECT_EQ(node.workers[0]->counters().batches, limits::open_batches_max);  // the others wait in the ingress
  node.settle(30ms);
  EXPECT_EQ(node.sent().size(), (limits::open_batches_max + 2) * 20);
}

TEST(WorkerMesh, DropsTagsOfAnEpochThatTheOwnerDoesNotKnow) {
  NodeWorld node{NodeWorld::small(), 2};
  node.workers[1]->remove(node.epoch);
  for (int i = 0; i < 64; ++i) node.submit(node.frame());
  node.settle(30ms);
  const auto sent = node.sent().size();
  EXPECT_EQ(sent + node.drops(Drop::route), 64U);
  EXPECT_GT(node.drops(Drop::route), 10U);
  EXPECT_GT(sent, 10U);
}

TEST(WorkerMesh, ReleasesNothingUndelayedWhoseKeyWentWhileItWaited) {
  for (const auto policy : {DelayPolicy::vrf, DelayPolicy::max, DelayPolicy::header}) {
    auto options = NodeWorld::small();
    options.delays.policy = policy;
    NodeWorld node{options, 2};
    for (int i = 0; i < 64; ++i) node.submit(node.frame(NodeWorld::Wish{0, 3, i % 4 == 0, {}}));
    node.workers[0]->run(node.now);  // its batch waits for the other worker's answer
    node.workers[0]->remove(node.epoch);
    node.settle(options.delays.delay_max);
    if (policy == DelayPolicy::header) {
      EXPECT_EQ(node.sent().size(), 48U);  // the packet says its delay itself
    } else {
      EXPECT_EQ(node.sent().size(), 0U);
      EXPECT_EQ(node.drops(Drop::route), 48U);
    }
    EXPECT_EQ(node.delivered().size(), 16U);  // a last hop delays nothing
    EXPECT_TRUE(node.balanced());
  }
}

TEST(WorkerMesh, ForgetsAnswersThatComeAfterTheEnd) {
  NodeWorld node{NodeWorld::small(), 2};
  for (int i = 0; i < 64; ++i) node.submit(node.frame());
  node.workers[0]->run(node.now);
  node.workers[0]->stop();
  EXPECT_EQ(node.workers[0]->abandon(), 64U);
  node.run();
  EXPECT_TRUE(node.sent().empty());
  EXPECT_TRUE(node.balanced());
}

TEST(WorkerMesh, LosesAndRepeatsNothingBetweenThreads) {
  NodeWorld node{NodeWorld::small(), 2};
  constexpr std::size_t distinct = 600;
  std::vector<Bytes> frames;
  for (std::size_t i = 0; i < distinct; ++i) frames.push_back(node.frame(NodeWorld::Wish{0, 1, false, {}}));
  std::atomic<std::size_t> resting{0};
  std::array<std::size_t, 2> sent{};
  const auto work = [&](std::size_t self) {
    auto& worker = *node.workers[self];
    auto now = node.now;
    std::array<Released, 64> out;
    std::size_t next = 0;
    bool rests = false;
    while (resting < 2) {
      while (next < distinct && worker.submit(0, frames[next], now, node.wall)) ++next;
      worker.run(now);
      now += 500us;
      for (std::size_t count; (count = worker.poll_released(out)) > 0;)
        for (const auto& item : std::span{out}.first(count)) {
          worker.done(item.held);
          ++sent[self];
        }
      if (!rests && next == distinct && worker.in_flight() == 0) {
        rests = true;
        ++resting;
      }
      std::this_thread::yield();
    }
  };
  // A full ingress refuses and counts `ring`; such frames are submitted again above.
  std::thread other{[&] { work(1); }};
  work(0);
  other.join();
  const auto out = sent[0] + sent[1];  // a thread that stood still long enough finds its packets late
  EXPECT_LE(out, distinct);
  EXPECT_GE(out + node.drops(Drop::late), distinct);
  EXPECT_EQ(out + node.drops(Drop::late) + node.drops(Drop::replay), 2 * distinct);
  EXPECT_TRUE(node.balanced());
}

}  // namespace
}  // namespace village::mix
