#include "daemon/heartbeat.hpp"

#include <gtest/gtest.h>

namespace village::daemon {
namespace {

TEST(Heartbeat, RoundIsCompleteWhenEveryCoreAnswered) {
  Heartbeat heartbeat{2};
  const auto round = heartbeat.begin_round();
  EXPECT_EQ(heartbeat.missing(), 0u);
  heartbeat.answer(0, round);
  EXPECT_EQ(heartbeat.missing(), 1u);
  EXPECT_FALSE(heartbeat.complete());
  heartbeat.answer(1, round);
  EXPECT_TRUE(heartbeat.complete());
}

TEST(Heartbeat, OldAnswersDoNotCount) {
  Heartbeat heartbeat{1};
  const auto old = heartbeat.begin_round();
  (void)heartbeat.begin_round();
  heartbeat.answer(0, old);
  EXPECT_FALSE(heartbeat.complete());
}

}  // namespace
}  // namespace village::daemon
