#include "village/net/nursery.hpp"

#include <stdexcept>

#include "net/support.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::far;
using test::OneCore;

TEST(Nursery, JoinWaitsForAllChildren) {
  OneCore one;
  const auto done = one.run([](Core& core) -> asio::awaitable<int> {
    Nursery nursery{core};
    int ended = 0;
    for (int i = 0; i < 10; ++i) {
      nursery.spawn([&core, &ended, i]() -> asio::awaitable<void> {
        (void)co_await sleep_until(core, after(core, i * 1ms));
        ++ended;
      });
    }
    co_await nursery.join();
    EXPECT_EQ(nursery.live(), 0u);
    co_return ended;
  });
  EXPECT_EQ(done, 10);
}

TEST(Nursery, CancelEndsChildrenAndRefusesNewOnes) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    int cancelled = 0;
    for (int i = 0; i < 5; ++i) {
      nursery.spawn([&core, &cancelled]() -> asio::awaitable<void> {
        const auto slept = co_await sleep_until(core, far(core));
        if (slept.has_error() && slept.error().code == Errc::cancelled) ++cancelled;
      });
    }
    nursery.cancel();
    EXPECT_FALSE(nursery.spawn([]() -> asio::awaitable<void> { co_return; }));
    co_await nursery.join();
    EXPECT_EQ(cancelled, 5);
  });
}

TEST(Nursery, CancellationIsStickyForEveryLaterOperation) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    int refused = 0;
    nursery.spawn([&core, &refused]() -> asio::awaitable<void> {
      for (int i = 0; i < 3; ++i) {
        const auto slept = co_await sleep_until(core, far(core));
        if (slept.has_error() && slept.error().code == Errc::cancelled) ++refused;
      }
    });
    nursery.cancel();
    co_await nursery.join();
    EXPECT_EQ(refused, 3);
  });
}

TEST(Nursery, CancelledParentCancelsAndStillJoinsItsChildren) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery outer{core};
    int ended = 0;
    outer.spawn([&core, &ended]() -> asio::awaitable<void> {
      Nursery inner{core};
      inner.spawn([&core, &ended]() -> asio::awaitable<void> {
        (void)co_await sleep_until(core, far(core));
        co_await asio::this_coro::reset_cancellation_state();
        (void)co_await sleep_until(core, after(core, 5ms));  // a farewell
        ++ended;
      });
      co_await inner.join();
      ++ended;
    });
    outer.cancel();
    co_await outer.join();
    EXPECT_EQ(ended, 2);
  });
}

TEST(Nursery, ExceptionOfAChildIsKept) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    nursery.spawn([]() -> asio::awaitable<void> {
      throw std::runtime_error{"kept"};
      co_return;
    });
    co_await nursery.join();
    EXPECT_TRUE(nursery.failure() != nullptr);
    EXPECT_THROW(std::rethrow_exception(nursery.failure()), std::runtime_error);
  });
}

TEST(Nursery, DrainWaitsThenCancelsTheRest) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    bool short_done = false;
    bool long_cancelled = false;
    nursery.spawn([&]() -> asio::awaitable<void> {
      short_done = (co_await sleep_until(core, after(core, 1ms))).has_value();
    });
    nursery.spawn([&]() -> asio::awaitable<void> {
      long_cancelled = (co_await sleep_until(core, far(core))).has_error();
    });
    const auto left = co_await nursery.drain(after(core, 50ms));
    EXPECT_EQ(left, 1u);
    EXPECT_TRUE(short_done);
    EXPECT_TRUE(long_cancelled);
  });
}

TEST(NurseryDeathTest, DyingWithChildrenIsACrash) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        OneCore one;
        one.run([](Core& core) -> asio::awaitable<void> {
          Nursery nursery{core};
          nursery.spawn([&core]() -> asio::awaitable<void> { (void)co_await sleep_until(core, far(core)); });
          co_return;
        });
      },
      "children_.empty");
}

}  // namespace
}  // namespace village::net
