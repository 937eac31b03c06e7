#include "village/mix/rate_limit.hpp"

#include <gtest/gtest.h>

namespace village::mix {
namespace {

constexpr Instant start{1h};

TEST(TokenBucket, AllowsABurstAndThenItsRate) {
  TokenBucket bucket{100, 5};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(bucket.take(start));
  EXPECT_FALSE(bucket.take(start));
  EXPECT_FALSE(bucket.take(start + 9ms));
  EXPECT_TRUE(bucket.take(start + 10ms));
  EXPECT_FALSE(bucket.take(start + 10ms));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(bucket.take(start + 10s));  // no more than the burst is saved up
  EXPECT_FALSE(bucket.take(start + 10s));
}

TEST(TokenBucket, WithoutARateLetsEverythingThrough) {
  TokenBucket none, zero{0, 1};
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_TRUE(none.take(start));
    EXPECT_TRUE(zero.take(start));
  }
}

TEST(Admission, MakesAFloodPayAloneForItself) {
  RateRules rules;
  rules.neighbour_pps = 1'000;
  rules.neighbour_burst = 10;
  rules.node_pps = 5'000;
  rules.node_burst = 50;
  Admission admission{rules, 3};
  int flooded = 0, honest = 0;
  for (int ms = 0; ms < 1'000; ++ms) {
    const auto now = start + std::chrono::milliseconds{ms};
    for (int i = 0; i < 100; ++i) flooded += admission.admit(0, now);
    if (ms % 2 == 0) honest += admission.admit(1, now);
  }
  EXPECT_EQ(honest, 500);
  EXPECT_NEAR(flooded, 1'009, 2);
}

TEST(Admission, BoundsAllNeighboursTogether) {
  RateRules rules;
  rules.node_pps = 2'000;
  rules.node_burst = 20;
  Admission admission{rules, 100};
  int admitted = 0;
  for (int ms = 0; ms < 1'000; ++ms)
    for (NeighbourIndex i = 0; i < 100; ++i)
      admitted += admission.admit(i, start + std::chrono::milliseconds{ms});
  EXPECT_NEAR(admitted, 2'019, 2);
}

TEST(Admission, KnowsNoNeighbourBeyondItsNumber) {
  Admission admission{RateRules{}, 2};
  EXPECT_TRUE(admission.admit(1, start));
  EXPECT_FALSE(admission.admit(2, start));
}

TEST(Admission, ForgetsAPredecessorAndTakesACapacity) {
  RateRules rules;
  rules.neighbour_pps = 10;
  rules.neighbour_burst = 1;
  Admission admission{rules, 1};
  EXPECT_TRUE(admission.admit(0, start));
  EXPECT_FALSE(admission.admit(0, start));
  admission.reset(0, 1'000);
  EXPECT_TRUE(admission.admit(0, start));
  EXPECT_TRUE(admission.admit(0, start + 1ms));
}

}  // namespace
}  // namespace village::mix
