#include "village/net/runtime.hpp"

#include <atomic>
#include <set>

#include "net/metrics.hpp"
#include "net/support.hpp"

namespace village::net {
namespace {

using test::far;

TEST(Runtime, RunsEachCoreOnItsOwnThreadAndMetricSlot) {
  Runtime runtime{4};
  ASSERT_EQ(runtime.cores(), 4u);
  runtime.start();
  std::set<pid_t> threads;
  std::set<std::size_t> slots;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto [thread, slot] =
        runtime.call(i, [i](Core& core) -> asio::awaitable<std::pair<pid_t, std::size_t>> {
          EXPECT_EQ(core.index(), i);
          co_return std::pair{::gettid(), metrics::core_slot};
        });
    threads.insert(thread);
    slots.insert(slot);
  }
  EXPECT_EQ(threads.size(), 4u);
  EXPECT_EQ(slots.size(), 4u);
  EXPECT_FALSE(slots.contains(0));
}

TEST(Runtime, TwoRuntimesShareNoMetricSlot) {
  Runtime first{3}, second{3};
  first.start();
  second.start();
  std::set<std::size_t> slots;
  for (auto* runtime : {&first, &second}) {
    for (std::size_t i = 0; i < 3; ++i) {
      slots.insert(
          runtime->call(i, [](Core&) -> asio::awaitable<std::size_t> { co_return metrics::core_slot; }));
    }
  }
  EXPECT_EQ(slots.size(), 6u);
}

TEST(Runtime, ZeroCoresMeansAllUsableOnes) {
  Runtime runtime;
  EXPECT_GE(runtime.cores(), 1u);
}

TEST(Runtime, WorkHandedOverBeforeStartRunsAfterIt) {
  Runtime runtime{1};
  std::promise<int> done;
  runtime.run_on(0, [&](Core&) { done.set_value(7); });
  auto future = done.get_future();
  EXPECT_NE(future.wait_for(std::chrono::milliseconds{1}), std::future_status::ready);
  runtime.start();
  EXPECT_EQ(future.get(), 7);
}

TEST(Runtime, CallPassesExceptionsOn) {
  Runtime runtime{1};
  runtime.start();
  EXPECT_THROW(runtime.call(0,
                            [](Core&) -> asio::awaitable<int> {
                              throw std::runtime_error{"passed on"};
                              co_return 1;
                            }),
               std::runtime_error);
}

TEST(Runtime, StopWaitsForWhatEndsByItself) {
  Runtime runtime{2};
  runtime.start();
  std::atomic<bool> finished = false;
  runtime.spawn_on(1, [&](Core& core) -> asio::awaitable<void> {
    (void)co_await sleep_until(core, after(core, 20ms));
    finished = true;
  });
  runtime.call(1, [](Core&) -> asio::awaitable<void> { co_return; });  // it has begun
  runtime.stop();
  runtime.join();
  EXPECT_TRUE(finished);
}

TEST(Runtime, StopDropsWhatDoesNotEnd) {
  RuntimeOptions options;
  options.cores = 2;
  options.stop_grace = 20ms;
  Runtime runtime{options};
  runtime.start();
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  std::promise<void> begun;
  runtime.spawn_on(0, [&begun, held = std::move(held)](Core& core) -> asio::awaitable<void> {
    // A nursery with children must not crash here: the loop is dropped as a whole.
    Nursery nursery{core};
    nursery.spawn([&core]() -> asio::awaitable<void> { (void)co_await sleep_until(core, far(core)); });
    auto pair = test::stream_pair(core);
    Bytes buffer(1);
    begun.set_value();
    (void)co_await pair.left->read_some(buffer);
  });
  begun.get_future().wait();
  const auto begin = std::chrono::steady_clock::now();
  runtime.stop();
  runtime.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(Runtime, StopMayComeFromACore) {
  Runtime runtime{2};
  runtime.start();
  runtime.run_on(1, [&](Core&) { runtime.stop(); });
  runtime.join();
}

TEST(Runtime, CoreHasClockRandomnessAndResolver) {
  Runtime runtime{1};
  runtime.start();
  runtime.call(0, [](Core& core) -> asio::awaitable<void> {
    const auto first = core.clock().now();
    EXPECT_GE(core.clock().now(), first);
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(core.random().u64());
    EXPECT_EQ(seen.size(), 1000u);
    Bytes large(4096);
    core.random().fill(large);
    EXPECT_NE(large, Bytes(4096));
    EXPECT_EQ(core.resolver().statistics().asked, 0u);
    co_return;
  });
}

TEST(Runtime, ExceptionOfAHandlerDoesNotEndTheCore) {
  Runtime runtime{1};
  runtime.start();
  const auto before = metric::loop_exceptions.total();
  runtime.run_on(0, [](Core&) { throw std::runtime_error{"survived"}; });
  EXPECT_EQ(runtime.call(0, [](Core&) -> asio::awaitable<int> { co_return 3; }), 3);
  EXPECT_EQ(metric::loop_exceptions.total(), before + 1);
}

}  // namespace
}  // namespace village::net
