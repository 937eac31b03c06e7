#include "village/mix/delay_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "support/allocations.hpp"
#include "village/mix/fast_random.hpp"
#include "village/mix/limits.hpp"

namespace village::mix {
namespace {

constexpr Instant start{1h};

std::vector<HeldIndex> take(DelayQueue& queue, Instant now) {
  std::vector<HeldIndex> items(queue.capacity());
  items.resize(queue.take_due(now, items));
  return items;
}

TEST(DelayQueue, ReleasesAtTheTickBehindTheTimeNeverBefore) {
  SeededRandom random{1};
  DelayQueue queue{4, 10s, random, start};
  queue.insert(0, start + 10ms, start);
  queue.insert(1, start + 10ms + 1ns, start);
  EXPECT_EQ(queue.next_deadline(), start + 10ms);
  EXPECT_TRUE(take(queue, start + 10ms - 1ns).empty());
  EXPECT_EQ(take(queue, start + 10ms), std::vector<HeldIndex>{0});
  EXPECT_EQ(queue.next_deadline(), start + 10ms + DelayQueue::tick);
  EXPECT_TRUE(take(queue, start + 10ms + 1ns).empty());
  EXPECT_EQ(take(queue, start + 10ms + DelayQueue::tick), std::vector<HeldIndex>{1});
  EXPECT_EQ(queue.next_deadline(), std::nullopt);
}

TEST(DelayQueue, WhatIsDueAlreadyLeavesWithTheNextBatch) {
  SeededRandom random{1};
  DelayQueue queue{2, 10s, random, start};
  queue.insert(0, start, start);
  queue.insert(1, start - 5s, start);
  EXPECT_LE(queue.next_deadline(), start);
  EXPECT_EQ(take(queue, start).size(), 2U);
}

// The model: due times rounded up to ticks, in a sorted multimap.
TEST(DelayQueue, AgreesWithASortedMultimap) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SeededRandom random{seed};
    constexpr std::size_t capacity = 300;
    const Duration delay_max = seed % 2 == 0 ? Duration{10s} : Duration{100ms};
    DelayQueue queue{capacity, delay_max, random, start};
    std::multimap<Instant, HeldIndex> model;
    std::set<HeldIndex> idle;
    for (HeldIndex i = 0; i < capacity; ++i) idle.insert(i);
    auto now = start;
    for (int step = 0; step < 3'000; ++step) {
      const auto action = random.below(10);
      if (action < 6 && !idle.empty()) {
        const auto item = *idle.begin();
        idle.erase(idle.begin());
        const auto delay = Duration{
            static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(delay_max.count()) + 1))};
        const auto shorter = random.below(2) == 0 ? delay / 64 : delay;
        queue.insert(item, now + shorter, now);
        const auto ticks = (now + shorter - start + DelayQueue::tick - 1ns) / DelayQueue::tick;
        model.emplace(std::max(start + DelayQueue::tick * ticks,
                               start + DelayQueue::tick * ((now - start) / DelayQueue::tick)),
                      item);
      } else if (action < 9) {
        now += Duration{
            static_cast<Duration::rep>(random.below(random.below(8) == 0 ? 3'000'000'000 : 900'000))};
        const auto out = take(queue, now);
        std::multiset<HeldIndex> expected;
        while (!model.empty() && model.begin()->first <= now) {
          expected.insert(model.begin()->second);
          model.erase(model.begin());
        }
        EXPECT_EQ(std::multiset<HeldIndex>(out.begin(), out.end()), expected);
        for (const auto item : out) idle.insert(item);
      } else {
        const auto deadline = queue.next_deadline();
        ASSERT_EQ(deadline.has_value(), !model.empty());
        if (deadline && *deadline > now) {
          EXPECT_EQ(*deadline, model.begin()->first);
        }
      }
      ASSERT_EQ(queue.size(), model.size());
    }
  }
}

TEST(DelayQueue, KeepsWhatDoesNotFitTheCallersBatch) {
  SeededRandom random{3};
  DelayQueue queue{100, 10s, random, start};
  for (HeldIndex i = 0; i < 100; ++i) queue.insert(i, start + 1ms, start);
  std::set<HeldIndex> seen;
  std::array<HeldIndex, 33> out;
  for (std::size_t count; (count = queue.take_due(start + 1ms, out)) > 0;)
    for (std::size_t i = 0; i < count; ++i) EXPECT_TRUE(seen.insert(out[i]).second);
  EXPECT_EQ(seen.size(), 100U);
}

TEST(DelayQueue, ShufflesWhatFallsDueTogether) {
  SeededRandom random{4};
  DelayQueue queue{8, 10s, random, start};
  std::array<std::array<int, 8>, 8> counts{};  // item by place
  constexpr int rounds = 8'000;
  auto now = start;
  for (int round = 0; round < rounds; ++round) {
    for (HeldIndex i = 0; i < 8; ++i) queue.insert(i, now + 1ms + i * 1us, now);
    now += 2ms;
    const auto out = take(queue, now);
    ASSERT_EQ(out.size(), 8U);
    for (std::size_t place = 0; place < 8; ++place) ++counts[out[place]][place];
  }
  for (const auto& row : counts)
    for (const auto count : row) EXPECT_NEAR(count, rounds / 8, 150);  // five standard deviations
}

TEST(DelayQueue, DrainsEverythingHeld) {
  SeededRandom random{5};
  DelayQueue queue{50, 10s, random, start};
  for (HeldIndex i = 0; i < 50; ++i) queue.insert(i, start + i * 200ms, start);
  EXPECT_EQ(take(queue, start + 1s).size(), 6U);
  std::vector<HeldIndex> rest(50);
  EXPECT_EQ(queue.drain(rest), 44U);
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.next_deadline(), std::nullopt);
  queue.insert(7, start + 2s, start + 1s);  // time has not moved by that
  EXPECT_EQ(queue.next_deadline(), start + 2s);
}

TEST(DelayQueue, AllocatesNothingOnceMade) {
  SeededRandom seed{6};
  FastRandom random{seed};
  DelayQueue queue{1'000, 10s, random, start};
  std::array<HeldIndex, 1'000> out;
  random.u64();
  const auto before = village::test::allocation_count();
  auto now = start;
  for (int round = 0; round < 50; ++round) {
    for (HeldIndex i = 0; i < 1'000; ++i)
      queue.insert(i, now + Duration{static_cast<Duration::rep>(random.below(50'000'000))}, now);
    now += 60ms;
    ASSERT_EQ(queue.take_due(now, out), 1'000U);
  }
  EXPECT_EQ(village::test::allocation_count(), before);
}

TEST(FastRandom, DependsOnItsSeedAndDoesNotRepeat) {
  SeededRandom one{1}, same{1}, two{2};
  FastRandom a{one}, b{same}, c{two};
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1'000; ++i) {
    const auto value = a.u64();
    EXPECT_EQ(value, b.u64());
    EXPECT_NE(value, c.u64());
    EXPECT_TRUE(seen.insert(value).second);
  }
  Bytes odd(3'001);
  a.fill(odd);
  EXPECT_NE(std::count(odd.begin(), odd.end(), std::byte{0}), 3'001);
}

}  // namespace
}  // namespace village::mix
