// When a core stays awake for a web server beside it, for how long, and when answers leave.
#include "service/decoy_vigil.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <random>
#include <thread>

#include "tunnel_world.hpp"
#include "village/net/deadline.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using service::DecoyPace;
using service::DecoyVigil;
using service::VigilAllowance;
namespace limits = service::limits;

TEST(DecoyPace, HoldsAllButTheSlowestForTheSameTime) {
  DecoyPace pace;
  std::mt19937 random{7};
  std::normal_distribution<double> spread{50'000, 3'000};
  std::size_t held = 0;
  Duration least = 1h, most{0};
  for (int i = 0; i < 10'000; ++i) {
    const Duration took{static_cast<std::int64_t>(spread(random))};
    const auto after = pace.after(took);
    ASSERT_GE(after, took);
    if (i < 1'000 || after == took) continue;
    ++held;
    least = std::min(least, after);
    most = std::max(most, after);
  }
  EXPECT_GT(held, 9'000 * 85 / 100);
  EXPECT_GT(least, 53us);  // what one in ten exceeds: 53.8
  EXPECT_LT(most, 55us);
}

TEST(DecoyPace, ForgetsAColdStart) {
  DecoyPace pace;
  for (int i = 0; i < 20; ++i) (void)pace.after(240us);
  EXPECT_EQ(pace.after(50us), 240us);
  for (int i = 0; i < 600; ++i) (void)pace.after(50us);
  EXPECT_EQ(pace.after(50us), 50us);
}

TEST(DecoyPace, HoldsNothingForLongAndSlowAnswersNotAtAll) {
  DecoyPace pace;
  for (int i = 0; i < 200; ++i) EXPECT_EQ(pace.after(20ms), 20ms);
  EXPECT_EQ(pace.after(10us), limits::decoy_vigil_max);
}

TEST(VigilAllowance, IsAShareOfTimeWithABurst) {
  VigilAllowance allowance;
  const Instant start{1h};
  Duration awake{0};
  for (auto now = start; now < start + 1s; now += limits::decoy_vigil_max) {
    if (!allowance.has(now)) continue;
    allowance.spend(now, now + limits::decoy_vigil_max);
    awake += limits::decoy_vigil_max;
  }
  EXPECT_LE(awake, Duration{1s} / limits::decoy_vigil_share + limits::decoy_vigil_burst);
  EXPECT_GE(awake, Duration{1s} / limits::decoy_vigil_share);
  EXPECT_TRUE(allowance.has(start + 2s));
}

TEST(VigilAllowance, TakesVigilsOfTheSameTimeForOne) {
  VigilAllowance alone, crowd;
  const Instant start{1h};
  for (auto now = start; now < start + 10ms; now += limits::decoy_vigil_max) {
    alone.spend(now, now + limits::decoy_vigil_max);
    for (int i = 0; i < 50; ++i) crowd.spend(now, now + limits::decoy_vigil_max);
  }
  EXPECT_TRUE(alone.has(start + 10ms));
  EXPECT_TRUE(crowd.has(start + 10ms));
}

TEST(DecoyVigil, EndsWhenNobodyWaitsAnyMore) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one CPU: no vigil";
  TunnelWorld world;
  // Else it ends by its time; a busy machine may take that long for once.
  const bool ended = world.run(clients, [](net::Core& core) -> boost::asio::awaitable<bool> {
    DecoyVigil vigil{core};
    for (int attempt = 0; attempt < 100; ++attempt) {
      bool waiting = true;
      boost::asio::post(core.io(), [&waiting] { waiting = false; });
      const auto begin = core.clock().now();
      co_await vigil.keep(waiting);
      if (!waiting && core.clock().now() - begin < limits::decoy_vigil_max / 2) co_return true;
      (void)co_await net::sleep_until(core, net::after(core, 10ms));
    }
    co_return false;
  });
  EXPECT_TRUE(ended);
}

TEST(DecoyVigil, KeepsTheCoreAwakeNoLongerThanItsTime) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one CPU: no vigil";
  TunnelWorld world;
  const auto awake = world.run(clients, [](net::Core& core) -> boost::asio::awaitable<Duration> {
    DecoyVigil vigil{core};
    const bool waiting = true;
    const auto begin = core.clock().now();
    co_await vigil.keep(waiting);
    co_return core.clock().now() - begin;
  });
  EXPECT_GE(awake, limits::decoy_vigil_max);  // and it came back
}

TEST(DecoyVigil, HoldsAnAnswerUntilItsTime) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one CPU: no vigil";
  TunnelWorld world;
  const auto held = world.run(clients, [](net::Core& core) -> boost::asio::awaitable<Duration> {
    DecoyVigil vigil{core};
    co_await vigil.hold(core.clock().now() - 200us);  // the usual time is 200 us now, or a little more
    const auto asked = core.clock().now();
    co_await vigil.hold(asked);
    co_return core.clock().now() - asked;
  });
  EXPECT_GE(held, 200us);
}

}  // namespace
}  // namespace village::test
