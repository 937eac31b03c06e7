#include "village/net/deadline.hpp"

#include "net/support.hpp"

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

}  // namespace
}  // namespace village::net
