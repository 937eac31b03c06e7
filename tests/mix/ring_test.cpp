#include "village/mix/ring.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace village::mix {
namespace {

TEST(Ring, TakesAsMuchAsItHoldsAndNoMore) {
  Ring<int> ring{5};
  ASSERT_EQ(ring.capacity(), 8U);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(ring.push(i));
    EXPECT_FALSE(ring.push(8));
    int value = -1;
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(ring.pop(value));
      EXPECT_EQ(value, i);
    }
    EXPECT_FALSE(ring.pop(value));
  }
}

TEST(Ring, KeepsOrderBetweenThreads) {
  constexpr std::uint64_t count = 200'000;
  Ring<std::uint64_t> ring{64};
  std::thread producer{[&] {
    for (std::uint64_t i = 0; i < count; ++i)
      while (!ring.push(i)) std::this_thread::yield();
  }};
  std::uint64_t seen = 0, wrong = 0;
  while (seen < count) {
    std::uint64_t value;
    if (!ring.pop(value)) {
      std::this_thread::yield();
      continue;
    }
    wrong += value != seen++;
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace village::mix
