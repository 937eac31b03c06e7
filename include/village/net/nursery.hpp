#pragma once
// Nursery: the children of a coroutine. They never outlive it: cancel(), then join().
//
//   net::Nursery nursery{core};
//   nursery.spawn([this]() -> asio::awaitable<void> { co_await serve(); });   // the lambda is kept for the
//   child's life
//   ...
//   nursery.cancel();
//   co_await nursery.join();
//
// Cancellation is sticky: once a child is cancelled every later operation of `net` that it starts ends with
// `cancelled` at once (asio::this_coro::reset_cancellation_state lifts that for a farewell). Operations never
// throw for it.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <functional>
#include <list>
#include <utility>

#include "village/net/core.hpp"
#include "village/net/event.hpp"

namespace village::net {

/// Nursery lives on one core, and must be empty when it dies (VG_CHECK). About 0.5 us and three allocations a
/// child.
class Nursery {
 public:
  explicit Nursery(Core& core);
  ~Nursery();
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  /// spawn starts a child from `make`, a callable that returns asio::awaitable<void>; both live until the
  /// child ends. false (and nothing happens) after cancel(). The child starts later, not inside this call, if
  /// called from a core's coroutine it may start at once.
  template <class Make>
  bool spawn(Make make) {
    if (cancelled_) return false;
    launch(run(std::move(make)));
    return true;
  }
  /// cancel asks all children to end and refuses new ones. Does not wait.
  void cancel();
  /// join waits until no child lives. If the caller is cancelled meanwhile the children are, and it waits on.
  asio::awaitable<void> join();
  /// drain waits until no child lives or `deadline` has come, then cancels and joins. Returns how many were
  /// cancelled.
  asio::awaitable<std::size_t> drain(Instant deadline);

  std::size_t live() const { return children_.size(); }
  bool cancelled() const { return cancelled_; }
  /// failure is the first exception that left a child (each is logged and counted); null if none.
  std::exception_ptr failure() const { return failure_; }

 private:
  using Children = std::list<asio::cancellation_signal>;
  template <class Make>
  static asio::awaitable<void> run(Make make) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await make();
  }
  void launch(asio::awaitable<void> child);
  void ended(Children::iterator child, std::exception_ptr exception);

  Core& core_;
  Children children_;
  Event empty_;
  bool cancelled_ = false;
  std::exception_ptr failure_;
};

}  // namespace village::net
