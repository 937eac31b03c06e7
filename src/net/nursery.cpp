#include "village/net/nursery.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <iterator>

#include "net/metrics.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"

namespace village::net {

Nursery::Nursery(Core& core) : core_{core}, empty_{core} {}

// A stopped loop drops its coroutines where they stand, in any order: then children may outlive their parent.
Nursery::~Nursery() { VG_CHECK(children_.empty() || core_.io().stopped()); }

void Nursery::launch(asio::awaitable<void> child) {
  const auto place = children_.emplace(children_.end());
  asio::co_spawn(core_.io().get_executor(), std::move(child),
                 asio::bind_cancellation_slot(place->slot(), [this, place](std::exception_ptr exception) {
                   ended(place, std::move(exception));
                 }));
}

void Nursery::ended(Children::iterator child, std::exception_ptr exception) {
  if (exception) {
    metric::child_exceptions.add();
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& error) {
      VG_LOG(error, "net", "child_failed what={}", error.what());
    } catch (...) {
      VG_LOG(error, "net", "child_failed what=unknown");
    }
    if (!failure_) failure_ = std::move(exception);
  }
  children_.erase(child);
  if (children_.empty()) empty_.notify();
}

void Nursery::cancel() {
  cancelled_ = true;
  for (auto child = children_.begin(); child != children_.end();) {
    auto& signal = *child++;
    signal.emit(asio::cancellation_type::terminal);
  }
}

asio::awaitable<void> Nursery::join() {
  // A caller that throws on cancellation would leave its children behind.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  bool listening = true;
  while (!children_.empty()) {
    if (listening) {
      const auto woken = co_await empty_.wait();
      if (woken.has_error()) {
        listening = false;
        cancel();
      }
    } else {
      co_await empty_.wait_uncancelled();
    }
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
}

asio::awaitable<std::size_t> Nursery::drain(Instant deadline) {
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!children_.empty()) {
    const auto woken = co_await empty_.wait_until(deadline);
    if (woken.has_error()) break;
  }
  const auto left = children_.size();
  cancel();
  co_await join();
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return left;
}

}  // namespace village::net
