#include "village/mix/path_health.hpp"

#include <gtest/gtest.h>

namespace village::mix {
namespace {

constexpr Instant start{std::chrono::hours{1}};

sphinx::Hop hop(std::uint8_t n) {
  return {{}, sphinx::node_address(Ipv4Address{std::byte{10}, {}, {}, std::byte{n}}, 9'001), 0};
}

class PathHealthTest : public testing::Test {
 protected:
  SeededRandom random{2};
  PathHealth health{random};
  PathMarks path(std::initializer_list<std::uint8_t> numbers) {
    std::vector<sphinx::Hop> hops;
    for (const auto n : numbers) hops.push_back(hop(n));
    PathMarks marks;
    health.add(marks, hops);
    return marks;
  }
  bool suspected(std::uint8_t n, Instant now) { return health.suspected(health.mark(hop(n).address), now); }
};

TEST_F(PathHealthTest, SuspectsAMixThatNeverAnswers) {
  for (int i = 0; i < 8; ++i) {
    EXPECT_FALSE(suspected(2, start));
    health.answered(path({1, 3, 5, 9}));
    health.unanswered(path({1, 2, 5, 9}), start);
  }
  EXPECT_TRUE(suspected(2, start));
  EXPECT_FALSE(suspected(1, start)) << "it answered on other paths";
  EXPECT_FALSE(suspected(9, start)) << "a gateway cannot be gone round";
  EXPECT_EQ(health.suspects(start), 1U);
  EXPECT_FALSE(health.good(path({1, 2, 5, 9}), start));
  EXPECT_TRUE(health.good(path({1, 3, 5, 9}), start));
  health.answered(path({1, 2, 5, 9}));
  EXPECT_EQ(health.suspects(start), 0U);
}

TEST_F(PathHealthTest, TriesAgainAfterAMinuteAndThenLessOften) {
  for (int i = 0; i < 20; ++i) health.unanswered(path({2, 9}), start);
  EXPECT_TRUE(suspected(2, start + 1min - 1ns));
  EXPECT_FALSE(suspected(2, start + 1min)) << "a second chance";
  health.unanswered(path({2, 9}), start + 1min);
  EXPECT_TRUE(suspected(2, start + 2min));
  auto now = start;
  for (int i = 0; i < 10; ++i) health.unanswered(path({2, 9}), now += 1h);
  EXPECT_TRUE(suspected(2, now + 8min - 1ns));
  EXPECT_FALSE(suspected(2, now + 8min));
}

TEST_F(PathHealthTest, NeedsAWholeRowWithoutAnAnswer) {
  for (int i = 0; i < 1'000; ++i) {
    health.unanswered(path({2, 9}), start);
    if (i % 7 == 6) health.answered(path({2, 9}));
  }
  EXPECT_EQ(health.suspects(start), 0U);
}

}  // namespace
}  // namespace village::mix
