#include "village/net/event.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include "net/await.hpp"
#include "village/net/deadline.hpp"

namespace village::net {

// The timer never expires: it is a list of waiters that cancel() wakes. After a wait nothing of *this is
// touched, because the notifier may have destroyed it.
Event::Event(Core& core) : core_{core}, timer_{core.io(), std::chrono::steady_clock::time_point::max()} {}

void Event::notify() { timer_.cancel(); }

Task<void> Event::wait() {
  VG_CO_STOP_IF_CANCELLED();
  (void)co_await timer_.async_wait(as_result);
  VG_CO_STOP_IF_CANCELLED();
  co_return ok();
}

Task<void> Event::wait_until(Instant deadline) { return with_deadline(core_, wait(), deadline); }

asio::awaitable<void> Event::wait_uncancelled() {
  (void)co_await timer_.async_wait(asio::bind_cancellation_slot(asio::cancellation_slot{}, as_result));
}

}  // namespace village::net
