#pragma once
// Runtime: one io_context and one thread per core, and what each core owns.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "village/net/core.hpp"
#include "village/net/deadline.hpp"
#include "village/net/resolver.hpp"

namespace village::net {

struct RuntimeOptions {
  std::size_t cores = 0;  ///< 0 = CPUs this process may run on (affinity), at most base limits::cores_max
  bool pin = false;       ///< bind thread i to the i-th CPU of the affinity mask
  std::string thread_name = "core";               ///< threads are called core-0, core-1, ...
  Duration stop_grace = std::chrono::seconds{5};  ///< what stop() gives coroutines that still run
  ResolverOptions resolver;
};

/// Runtime owns the cores. Construct, set up services with core(i), start(), ... stop(), join(). Services
/// must have been cancelled and joined before stop(): what still runs `stop_grace` later is dropped where it
/// stands.
///
///   constructed --start()--> running --stop()--> stopping --last operation ended or grace passed--> stopped
class Runtime {
 public:
  explicit Runtime(std::size_t cores = 0);
  explicit Runtime(RuntimeOptions options);
  ~Runtime();  ///< stop() and join()
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  std::size_t cores() const;
  Core& core(std::size_t i);
  /// start creates the threads. Work handed over before waits until then.
  void start();
  /// run_on runs `work` on core i's thread, later. Any thread. Dropped when the runtime has stopped.
  void run_on(std::size_t i, std::function<void(Core&)> work);
  /// spawn_on starts the coroutine that `make` returns on core i. Any thread. For tests and `main`; services
  /// use a Nursery.
  void spawn_on(std::size_t i, std::function<asio::awaitable<void>(Core&)> make);
  /// call runs the coroutine of `make(Core&)` on core i and waits for its value. Not from a core's own
  /// thread.
  template <class Make>
  auto call(std::size_t i, Make make) -> typename decltype(make(std::declval<Core&>()))::value_type;
  /// stop closes the resolvers, lets each loop end when nothing is left, and ends it by force after the grace
  /// time. Any thread, also a core's own. Idempotent.
  void stop();
  /// join waits for the threads. Not from a core's own thread.
  void join();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <class Make>
auto Runtime::call(std::size_t i, Make make) -> typename decltype(make(std::declval<Core&>()))::value_type {
  using Value = typename decltype(make(std::declval<Core&>()))::value_type;
  // If the coroutine is dropped unfinished the promise breaks, and get() throws instead of waiting for ever.
  auto promise = std::make_shared<std::promise<Value>>();
  auto future = promise->get_future();
  spawn_on(
      i, [promise = std::move(promise), make = std::move(make)](Core& core) mutable -> asio::awaitable<void> {
        const auto answer = std::move(promise);
        try {
          if constexpr (std::is_void_v<Value>) {
            co_await make(core);
            answer->set_value();
          } else {
            auto value = co_await make(core);
            answer->set_value(std::move(value));
          }
        } catch (...) {
          answer->set_exception(std::current_exception());
        }
      });
  return future.get();
}

}  // namespace village::net
