#include "village/net/visit.hpp"

#include <stdexcept>
#include <thread>

#include "net/support.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::far;

Task<int> answer_after(Core& core, Duration delay, int value) {
  const auto slept = co_await sleep_until(core, after(core, delay));
  if (slept.has_error()) co_return slept.error();
  co_return value;
}

asio::awaitable<std::thread::id> thread_here() { co_return std::this_thread::get_id(); }
asio::awaitable<void> fail_here() {
  if (true) throw std::runtime_error{"of the work"};
  co_return;
}

class Visit : public testing::Test {
 protected:
  Visit() { runtime_.start(); }
  Core& there() { return runtime_.core(1); }
  Runtime runtime_{2};
};

TEST_F(Visit, RunsThereAndComesBack) {
  const auto came_back = runtime_.call(0, [&](Core&) -> asio::awaitable<bool> {
    const auto home = std::this_thread::get_id();
    const auto away = co_await visit(there(), thread_here());
    co_return away != home&& home == std::this_thread::get_id();
  });
  EXPECT_TRUE(came_back);
}

TEST_F(Visit, HandsOnValuesAndExceptions) {
  const auto caught = runtime_.call(0, [&](Core&) -> asio::awaitable<int> {
    const auto value = co_await visit(there(), answer_after(there(), 1ms, 42));
    try {
      co_await visit(there(), fail_here());
    } catch (const std::runtime_error&) {
      co_return value ? *value : 0;
    }
    co_return -1;
  });
  EXPECT_EQ(caught, 42);
}

TEST_F(Visit, ADeadlineOfTheCallerEndsTheWork) {
  const auto result = runtime_.call(0, [&](Core& core) -> Task<int> {
    auto late = visit(there(), answer_after(there(), 600s, 42));
    auto value = co_await with_deadline(core, std::move(late), after(core, 5ms));
    co_return value;
  });
  EXPECT_EQ(code_of(result), Errc::timed_out);
}

// The deadline and the end of the work meet: for ThreadSanitizer above all.
TEST_F(Visit, MayEndWhileItIsCancelled) {
  const auto ended = runtime_.call(0, [&](Core& core) -> asio::awaitable<int> {
    int done = 0;
    for (int i = 0; i < 500; ++i) {
      auto near = visit(there(), answer_after(there(), std::chrono::microseconds{100 + i % 7}, i));
      auto value =
          co_await with_deadline(core, std::move(near), after(core, std::chrono::microseconds{180 + i % 13}));
      done += (value ? *value == i : value.error().code == Errc::timed_out) ? 1 : 0;
    }
    co_return done;
  });
  EXPECT_EQ(ended, 500);
}

}  // namespace
}  // namespace village::net
