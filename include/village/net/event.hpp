#pragma once
// Event: coroutines of one core wait until something is notified.
#include <boost/asio/steady_timer.hpp>

#include "village/net/core.hpp"
#include "village/net/stream.hpp"

namespace village::net {

/// Event wakes those who wait; it keeps no state, so look at the condition again after each wait:
///   while (queue.empty()) { const auto woken = co_await changed.wait(); if (!woken) co_return; }
/// Lives on one core. Its death wakes those who wait. A wait allocates nothing once the core has warmed up.
class Event {
 public:
  explicit Event(Core& core);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  /// notify wakes everybody who waits now.
  void notify();
  /// wait waits for the next notify. Errors: cancelled.
  Task<void> wait();
  /// wait_until also ends with timed_out at `deadline`. About 0.5 us.
  Task<void> wait_until(Instant deadline);
  /// wait_uncancelled ignores cancellation: for joins. The caller checks its own state.
  asio::awaitable<void> wait_uncancelled();

 private:
  using Timer =
      asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                                 asio::io_context::executor_type>;
  class TimedWaiter;

  Core& core_;
  Timer timer_;
  TimedWaiter* timed_ = nullptr;  ///< the list of those who wait with a deadline, each in its own frame
};

}  // namespace village::net
