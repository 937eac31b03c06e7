#include "village/mix/cover_stream.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/statistics.hpp"
#include "village/mix/loop_monitor.hpp"
#include "village/mix/seen_messages.hpp"

namespace village::mix {
namespace {

constexpr Instant start{std::chrono::hours{1}};
constexpr WallTime wall{std::chrono::hours{490'000}};

MessageId message_id(std::uint8_t n) { return {std::byte{n}}; }

std::vector<std::uint64_t> gaps(std::uint64_t seed, Duration mean, std::size_t count) {
  SeededRandom random{seed};
  CoverStream stream{mean, random, start};
  std::vector<std::uint64_t> values;
  auto last = start;
  while (values.size() < count) {
    const auto at = stream.next_deadline().value();
    EXPECT_FALSE(stream.take(at - 1ns));
    EXPECT_TRUE(stream.take(at));
    values.push_back(static_cast<std::uint64_t>((at - last).count()));
    last = at;
  }
  return values;
}

TEST(CoverStream, HasExponentialDistances) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    SCOPED_TRACE(seed);
    const double mean = 20e6;
    const auto p = test::ks_p(gaps(seed, 20ms, 20'000), [&](std::uint64_t v) {
      return 1 - std::exp(-static_cast<double>(v + 1) / mean);
    });
    EXPECT_GT(p, 0.001);
  }
}

TEST(CoverStream, MakesUpForLittleLateness) {
  SeededRandom random{5};
  CoverStream stream{10ms, random, start};
  std::size_t taken = 0;
  while (stream.take(start + 1h)) ++taken;
  EXPECT_GE(taken, 20U);
  EXPECT_LE(taken, 4 * limits::burst_max);
  EXPECT_GT(stream.next_deadline().value(), start + 1h);
}

TEST(CoverStream, OfMeanZeroIsNone) {
  SeededRandom random{5};
  CoverStream stream{0ms, random, start};
  EXPECT_FALSE(stream.take(start + 1h));
  EXPECT_FALSE(stream.next_deadline());
  stream.set_mean(10ms, start);
  EXPECT_TRUE(stream.take(start + 1s));
}

TEST(LoopMonitor, MeasuresLossAndRaisesTheAlarm) {
  LoopMonitor monitor;
  auto now = start;
  for (std::uint8_t n = 0; n < 19; ++n) {
    monitor.sent(message_id(n), now + 2s);
    EXPECT_TRUE(monitor.returned(message_id(n), now + 1s));
  }
  EXPECT_FALSE(monitor.returned(message_id(3), now + 1s)) << "a copy";
  EXPECT_FALSE(monitor.returned(message_id(99), now + 1s));
  monitor.sent(message_id(20), now + 2s);
  EXPECT_EQ(monitor.next_deadline(), now + 2s);
  EXPECT_EQ(monitor.missing_share(), 0.0) << "too few verdicts";
  monitor.on_deadline(now + 2s);
  EXPECT_DOUBLE_EQ(monitor.missing_share(), 1.0 / 20);
  EXPECT_FALSE(monitor.alarm());
  EXPECT_FALSE(monitor.returned(message_id(20), now + 3s)) << "too late";
  for (std::uint8_t n = 30; n < 36; ++n) monitor.sent(message_id(n), now + 3s);
  monitor.on_deadline(now + 3s);
  EXPECT_TRUE(monitor.alarm());
  EXPECT_EQ(monitor.missing_total(), 7U);
  monitor.on_deadline(now + 6min);
  EXPECT_FALSE(monitor.alarm()) << "the window has passed";
}

TEST(LoopMonitor, IsBounded) {
  LoopMonitor monitor;
  for (std::size_t n = 0; n < limits::loops_max + 10; ++n) {
    MessageId id{};
    id[0] = static_cast<std::byte>(n);
    id[1] = static_cast<std::byte>(n >> 8);
    id[2] = static_cast<std::byte>(n >> 16);
    monitor.sent(id, start);
  }
  EXPECT_EQ(monitor.under_way(), limits::loops_max);
  EXPECT_EQ(monitor.sent_total(), limits::loops_max);
}

TEST(SeenMessages, RemembersForMoreThanADay) {
  SeededRandom random{1};
  SeenMessages seen{random, 3};
  EXPECT_TRUE(seen.add(message_id(1), wall));
  EXPECT_FALSE(seen.add(message_id(1), wall));
  EXPECT_TRUE(seen.add(message_id(2), wall + 1h));
  EXPECT_TRUE(seen.add(message_id(3), wall + 2h));
  EXPECT_EQ(seen.expire(wall + 24h), 0U);
  EXPECT_EQ(seen.expire(wall + limits::seen_time), 1U);
  EXPECT_FALSE(seen.contains(message_id(1)));
  EXPECT_TRUE(seen.contains(message_id(2)));
  EXPECT_TRUE(seen.add(message_id(4), wall + 27h));
}

TEST(SeenMessages, MakesRoomWithoutLettingWhatItForgetsComeBack) {
  SeededRandom random{1};
  SeenMessages seen{random, 3};
  for (std::uint8_t n = 1; n <= 3; ++n) EXPECT_TRUE(seen.add(message_id(n), wall + n * 1h));
  EXPECT_FALSE(seen.is_forgotten(wall));
  EXPECT_TRUE(seen.add(message_id(4), wall + 4h)) << "nobody is kept out";
  EXPECT_FALSE(seen.contains(message_id(1)));
  EXPECT_TRUE(seen.is_forgotten(wall + 1h))
      << "the latest that the first can have been sealed is 10 min later";
  EXPECT_TRUE(seen.is_forgotten(wall + 1h + limits::message_ahead_max));
  EXPECT_FALSE(seen.is_forgotten(wall + 2h));
  SeenMessages restarted{random, 3};
  restarted.forget(seen.forgotten_until(), wall + 4h);
  EXPECT_TRUE(restarted.is_forgotten(wall + 1h));
  EXPECT_FALSE(restarted.is_forgotten(wall + 2h));
}

TEST(SeenMessages, IsNotMovedByAWallClockThatJumps) {
  SeededRandom random{1};
  SeenMessages seen{random};
  const Instant begin{1h};
  ASSERT_TRUE(seen.add(message_id(1), {wall, begin}));
  EXPECT_EQ(seen.expire({wall + 10'000h, begin + 1h}), 0U);
  EXPECT_EQ(seen.expire({wall - 10'000h, begin + 2h}), 0U);
  EXPECT_TRUE(seen.contains(message_id(1)));
  EXPECT_FALSE(seen.is_forgotten(wall));
  // The clock is right again, and a day later it is set back: what is forgotten stays so.
  EXPECT_EQ(seen.expire({wall + 26h, begin + 26h}), 1U);
  EXPECT_TRUE(seen.is_forgotten(wall));
  EXPECT_FALSE(seen.is_forgotten(wall + 1h));
}

TEST(SeenMessages, RefusesNothingNewAfterAClockThatWasAheadForLong) {
  SeededRandom random{1};
  SeenMessages seen{random};
  seen.forget(wall + 100'000h, wall);  // so says a file
  EXPECT_TRUE(seen.is_forgotten(wall - 1s));
  EXPECT_FALSE(seen.is_forgotten(wall + 1s));
}

}  // namespace
}  // namespace village::mix
