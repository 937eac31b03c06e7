#include "village/net/event.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include "net/await.hpp"
#include "net/timer.hpp"

namespace village::net {

/// TimedWaiter is in its event's list from its birth until it is notified or dies.
class Event::TimedWaiter {
 public:
  TimedWaiter(Event& event, Instant deadline)
      : timer{event.core_.io()}, next_{event.timed_}, place_{&event.timed_} {
    if (next_ != nullptr) next_->place_ = &next_;
    event.timed_ = this;
    set_timer(timer, event.core_, deadline);
  }
  TimedWaiter(const TimedWaiter&) = delete;
  TimedWaiter& operator=(const TimedWaiter&) = delete;
  ~TimedWaiter() { leave(); }

  void notify() {
    leave();
    notified = true;
    timer.cancel();
  }

  Timer timer;
  bool notified = false;

 private:
  void leave() {
    if (place_ == nullptr) return;
    *place_ = next_;
    if (next_ != nullptr) next_->place_ = place_;
    place_ = nullptr;
  }
  TimedWaiter* next_;
  TimedWaiter** place_;  // what points at this; null = out of the list
};

// The timer never expires: it is a list of waiters that cancel() wakes. After a wait nothing of *this is
// touched, because the notifier may have destroyed it.
Event::Event(Core& core) : core_{core}, timer_{core.io(), std::chrono::steady_clock::time_point::max()} {}

Event::~Event() { notify(); }

void Event::notify() {
  timer_.cancel();
  while (timed_ != nullptr) timed_->notify();
}

Task<void> Event::wait() {
  VG_CO_STOP_IF_CANCELLED();
  (void)co_await timer_.async_wait(as_result);
  VG_CO_STOP_IF_CANCELLED();
  co_return ok();
}

Task<void> Event::wait_until(Instant deadline) {
  if (deadline <= core_.clock().now()) co_return fail(Errc::timed_out);
  VG_CO_STOP_IF_CANCELLED();
  TimedWaiter waiter{*this, deadline};
  const auto [code] = co_await waiter.timer.async_wait(as_result);
  VG_CO_STOP_IF_CANCELLED();
  if (!code && !waiter.notified) co_return fail(Errc::timed_out);
  co_return ok();
}

asio::awaitable<void> Event::wait_uncancelled() {
  (void)co_await timer_.async_wait(asio::bind_cancellation_slot(asio::cancellation_slot{}, as_result));
}

}  // namespace village::net
