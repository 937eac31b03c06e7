#include "village/net/runtime.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "net/buffered_random.hpp"
#include "net/metrics.hpp"
#include "village/base/check.hpp"
#include "village/base/limits.hpp"
#include "village/base/log.hpp"
#include "village/net/clock.hpp"
#include "village/net/system.hpp"

namespace village::net {
namespace {

/// SlotLease gives this thread a metric slot of its own: that of its core if free (it is, with one runtime),
/// else another, else the shared slot 0.
class SlotLease {
 public:
  explicit SlotLease(std::size_t core) {
    const std::lock_guard lock{mutex()};
    auto& used = slots();
    std::size_t slot = core + 1;
    if (slot >= used.size() || used[slot]) {
      slot = 1;
      while (slot < used.size() && used[slot]) ++slot;
    }
    if (slot < used.size()) {
      used[slot] = true;
      metrics::core_slot = slot;
    }
  }
  ~SlotLease() {
    const std::lock_guard lock{mutex()};
    if (metrics::core_slot != 0) slots()[metrics::core_slot] = false;
    metrics::core_slot = 0;
  }
  SlotLease(const SlotLease&) = delete;
  SlotLease& operator=(const SlotLease&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static std::array<bool, village::limits::cores_max + 1>& slots() {
    static std::array<bool, village::limits::cores_max + 1> used{};
    return used;
  }
};

class WorkerCore final : public Core {
 public:
  WorkerCore(std::size_t index, const ResolverOptions& resolver)
      : index_{index}, work_{io_.get_executor()}, resolver_{*this, resolver} {}
  asio::io_context& io() override { return io_; }
  std::size_t index() const override { return index_; }
  const Clock& clock() const override { return clock_; }
  RandomSource& random() override { return random_; }
  Resolver& resolver() override { return resolver_; }

  void let_end() {
    resolver_.close();
    work_.reset();
  }
  void run() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& error) {
        metric::loop_exceptions.add();
        VG_LOG(error, "net", "handler_failed core={} what={}", index_, error.what());
      }
    }
  }

 private:
  std::size_t index_;
  SystemClock clock_;
  BufferedRandom random_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  Resolver resolver_;
};

std::size_t core_count(std::size_t asked) {
  const auto count = asked == 0 ? usable_cpus().size() : asked;
  return std::min(count, village::limits::cores_max);
}

asio::awaitable<void> run_top(Core& core, std::function<asio::awaitable<void>(Core&)> make) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await make(core);
}

}  // namespace

struct Runtime::State {
  explicit State(RuntimeOptions given) : options{std::move(given)} {
    const auto count = core_count(options.cores);
    for (std::size_t i = 0; i < count; ++i)
      cores.push_back(std::make_unique<WorkerCore>(i, options.resolver));
  }

  void thread_main(std::size_t i) {
    const SlotLease lease{i};
    const auto name = (options.thread_name + "-" + std::to_string(i)).substr(0, 15);
    ::pthread_setname_np(::pthread_self(), name.c_str());
    if (options.pin) pin(i);
    cores[i]->run();
    const std::lock_guard lock{mutex};
    ++ended;
    changed.notify_all();
  }

  static void pin(std::size_t i) {
    const auto cpus = usable_cpus();
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpus[i % cpus.size()], &set);
    ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
  }

  RuntimeOptions options;
  std::vector<std::unique_ptr<WorkerCore>> cores;
  std::vector<std::thread> threads;
  std::mutex mutex;  ///< guards what follows
  std::condition_variable changed;
  std::size_t ended = 0;
  bool stopping = false;
  std::chrono::steady_clock::time_point stop_by;
};

Runtime::Runtime(std::size_t cores)
    : Runtime{RuntimeOptions{.cores = cores, .thread_name = "core", .resolver = {}}} {}
Runtime::Runtime(RuntimeOptions options) : state_{std::make_unique<State>(std::move(options))} {}

Runtime::~Runtime() {
  stop();
  join();
}

std::size_t Runtime::cores() const { return state_->cores.size(); }

Core& Runtime::core(std::size_t i) {
  VG_CHECK(i < state_->cores.size());
  return *state_->cores[i];
}

void Runtime::start() {
  VG_CHECK(state_->threads.empty());
  for (std::size_t i = 0; i < state_->cores.size(); ++i) {
    state_->threads.emplace_back([state = state_.get(), i] { state->thread_main(i); });
  }
}

void Runtime::run_on(std::size_t i, std::function<void(Core&)> work) {
  auto& target = core(i);
  asio::post(target.io(), [&target, work = std::move(work)] { work(target); });
}

void Runtime::spawn_on(std::size_t i, std::function<asio::awaitable<void>(Core&)> make) {
  run_on(i, [make = std::move(make)](Core& target) {
    asio::co_spawn(target.io().get_executor(), run_top(target, make), [](std::exception_ptr exception) {
      if (!exception) return;
      metric::child_exceptions.add();
      try {
        std::rethrow_exception(exception);
      } catch (const std::exception& error) {
        VG_LOG(error, "net", "coroutine_failed what={}", error.what());
      }
    });
  });
}

void Runtime::stop() {
  {
    const std::lock_guard lock{state_->mutex};
    if (state_->stopping) return;
    state_->stopping = true;
    state_->stop_by = std::chrono::steady_clock::now() +
                      std::chrono::duration_cast<std::chrono::nanoseconds>(state_->options.stop_grace);
  }
  for (auto& worker : state_->cores) {
    asio::post(worker->io(), [target = worker.get()] { target->let_end(); });
  }
  state_->changed.notify_all();
}

void Runtime::join() {
  {
    std::unique_lock lock{state_->mutex};
    state_->changed.wait(lock, [this] { return state_->stopping; });
    const auto count = state_->threads.size();
    if (!state_->changed.wait_until(lock, state_->stop_by,
                                    [this, count] { return state_->ended >= count; })) {
      VG_LOG(warn, "net", "stop_forced cores_running={}", count - state_->ended);
    }
  }
  for (auto& worker : state_->cores) worker->io().stop();
  for (auto& thread : state_->threads) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace village::net
