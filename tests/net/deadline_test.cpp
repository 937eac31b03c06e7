#include "village/net/deadline.hpp"

#include "net/support.hpp"
#include "support/allocations.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::far;
using test::OneCore;

Task<int> answer_after(Core& core, Duration delay, int value) {
  const auto slept = co_await sleep_until(core, after(core, delay));
  if (slept.has_error()) co_return slept.error();
  co_return value;
}

TEST(WithDeadline, GivesTheValueThatComesInTime) {
  OneCore one;
  const auto result =
      one.run([](Core& core) { return with_deadline(core, answer_after(core, 1ms, 42), far(core)); });
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, 42);
}

TEST(WithDeadline, EndsLateOperationsWithTimedOut) {
  OneCore one;
  const auto result =
      one.run([](Core& core) { return with_deadline(core, answer_after(core, 60s, 42), after(core, 2ms)); });
  EXPECT_EQ(code_of(result), Errc::timed_out);
}

TEST(WithDeadline, PastDeadlineDoesNotStartTheOperation) {
  OneCore one;
  const auto result = one.run(
      [](Core& core) { return with_deadline(core, answer_after(core, 0ms, 42), core.clock().now()); });
  EXPECT_EQ(code_of(result), Errc::timed_out);
}

TEST(WithDeadline, CancelledCallerEndsTheOperationWithCancelled) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    Result<int> seen = 0;
    nursery.spawn([&]() -> asio::awaitable<void> {
      auto result = co_await with_deadline(core, answer_after(core, 60s, 42), far(core));
      seen = result;
    });
    nursery.cancel();
    co_await nursery.join();
    EXPECT_EQ(code_of(seen), Errc::cancelled);
  });
}

TEST(WithDeadline, NestedDeadlinesTheInnerOneFirst) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto inner = with_deadline(core, answer_after(core, 60s, 42), after(core, 2ms));
    const auto result = co_await with_deadline(core, std::move(inner), far(core));
    EXPECT_TRUE(result.has_error());
    // The caller lives on: nothing of the expired deadline sticks to it.
    const auto later = co_await answer_after(core, 1ms, 7);
    EXPECT_TRUE(later.has_value());
  });
}

TEST(WithDeadline, NeverIsADeadlineToo) {
  OneCore one;
  const auto result =
      one.run([](Core& core) { return with_deadline(core, answer_after(core, 1ms, 42), Instant::max()); });
  EXPECT_TRUE(result.has_value());
}

TEST(Event, WakesAllWhoWait) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Event event{core};
    Nursery nursery{core};
    int woken = 0;
    for (int i = 0; i < 3; ++i) {
      nursery.spawn([&]() -> asio::awaitable<void> {
        const auto result = co_await event.wait();
        if (result.has_value()) ++woken;
      });
    }
    (void)co_await sleep_until(core, after(core, 1ms));
    event.notify();
    co_await nursery.join();
    EXPECT_EQ(woken, 3);
  });
}

TEST(Event, WaitUntilEndsWithTimedOut) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Event event{core};
    const auto result = co_await event.wait_until(after(core, 2ms));
    EXPECT_EQ(code_of(result), Errc::timed_out);
  });
}

TEST(Event, DeathWakesWaiters) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto event = std::make_unique<Event>(core);
    Nursery nursery{core};
    bool ended = false;
    nursery.spawn([&]() -> asio::awaitable<void> {
      (void)co_await event->wait();
      ended = true;
    });
    event.reset();
    co_await nursery.join();
    EXPECT_TRUE(ended);
  });
}

TEST(Event, WakesThoseWhoWaitWithADeadlineToo) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Event event{core};
    Nursery nursery{core};
    int woken = 0, timed_out = 0;
    for (int i = 0; i < 4; ++i) {
      nursery.spawn([&, i]() -> asio::awaitable<void> {
        // The second and the last leave the list of waiters by themselves.
        const auto result = co_await event.wait_until(i % 2 == 1 ? after(core, 1ms) : far(core));
        if (result.has_value()) ++woken;
        if (code_of(result) == Errc::timed_out) ++timed_out;
      });
    }
    while (timed_out < 2) (void)co_await sleep_until(core, after(core, 1ms));
    event.notify();
    co_await nursery.join();
    EXPECT_EQ(woken, 2);
  });
}

TEST(Event, WaitUntilPrefersTheNotificationToADeadlineThatIsOver) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Event event{core};
    Nursery nursery{core};
    std::optional<Errc> seen = Errc::internal;
    const auto deadline = after(core, 1ms);
    nursery.spawn([&]() -> asio::awaitable<void> {
      const auto result = co_await event.wait_until(deadline);
      seen = code_of(result);
    });
    while (core.clock().now() <= deadline) {  // the loop does not see the timer
    }
    event.notify();
    co_await nursery.join();
    EXPECT_EQ(seen, std::nullopt);
    const auto late = co_await event.wait_until(deadline);
    EXPECT_EQ(code_of(late), Errc::timed_out);
  });
}

TEST(Event, WaitUntilEndsWhenTheWaiterIsCancelled) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Event event{core};
    Nursery nursery{core};
    std::optional<Errc> first, second;
    nursery.spawn([&]() -> asio::awaitable<void> {
      const auto a = co_await event.wait_until(far(core));
      first = code_of(a);
      const auto b = co_await event.wait_until(far(core));  // cancellation sticks
      second = code_of(b);
    });
    (void)co_await sleep_until(core, after(core, 1ms));
    nursery.cancel();
    event.notify();
    co_await nursery.join();
    EXPECT_EQ(first, Errc::cancelled);
    EXPECT_EQ(second, Errc::cancelled);
  });
}

TEST(Event, DeathWakesThoseWhoWaitWithADeadline) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto event = std::make_unique<Event>(core);
    Nursery nursery{core};
    int ended = 0;
    for (int i = 0; i < 2; ++i) {
      nursery.spawn([&]() -> asio::awaitable<void> {
        (void)co_await event->wait_until(far(core));
        ++ended;
      });
    }
    (void)co_await sleep_until(core, after(core, 1ms));
    event.reset();
    co_await nursery.join();
    EXPECT_EQ(ended, 2);
  });
}

TEST(Event, WarmWaitsAllocateNothing) {
#ifdef BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
  GTEST_SKIP() << "a sanitizer sees each coroutine frame: none is recycled";
#endif
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Event event{core};
    Nursery nursery{core};
    bool stop = false;
    nursery.spawn([&]() -> asio::awaitable<void> {
      while (!stop) (void)co_await event.wait_until(after(core, 60s));
    });
    std::uint64_t before = 0;
    for (int i = 0; i < 200; ++i) {
      if (i == 100) before = ::village::test::allocation_count();
      event.notify();
      (void)co_await sleep_until(core, after(core, 10us));
    }
    EXPECT_EQ(::village::test::allocation_count(), before);
    stop = true;
    event.notify();
    co_await nursery.join();
  });
}

}  // namespace
}  // namespace village::net
