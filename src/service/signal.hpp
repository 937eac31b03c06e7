#pragma once
// Signal: one coroutine waits, whoever else runs on the same core wakes it. The condition variable of one
// core.
//
//   while (!condition) { const auto woken = co_await signal.wait(); if (!woken) co_return woken.error(); }
//
// net::Event is the same for many waiters and with deadlines, at the price of a timer: too much for two of
// them in each of thousands of streams. notify() without a waiter does nothing (the waiter looks at its
// condition first), and it never resumes the waiter inside the caller: the resumption is posted, so that a
// caller may go on changing state.
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <memory>
#include <utility>

#include "village/base/check.hpp"
#include "village/net/stream.hpp"

namespace village::service {

class Signal {
 public:
  Signal() = default;
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  /// wait suspends until notify(). At most one waiter at a time. Errors: cancelled (also if the waiter
  /// already is).
  net::Task<void> wait() {
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) co_return fail(Errc::cancelled);
    const bool woken = co_await suspended();
    if (!woken) co_return fail(Errc::cancelled);
    co_return ok();
  }
  bool waiting() const { return pending_ != nullptr; }
  void notify() {
    if (pending_) finish(true);
  }

 private:
  boost::asio::awaitable<bool> suspended() {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(bool)>(
        [this](auto handler) { suspend(std::move(handler)); }, boost::asio::use_awaitable);
  }
  /// Memory is the thread's cache of small blocks, where the coroutine's frames come from, too.
  using Memory = boost::asio::recycling_allocator<std::max_align_t>;
  static constexpr std::size_t units(std::size_t bytes) {
    return (bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
  }
  struct Pending {
    explicit Pending(Signal* signal) : owner{signal} {}
    virtual ~Pending() = default;
    virtual void post(std::unique_ptr<Pending> self, bool woken) = 0;
#ifndef BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING  // a sanitizer should see each one
    static void* operator new(std::size_t size) { return Memory{}.allocate(units(size)); }
    static void operator delete(void* memory, std::size_t size) {
      Memory{}.deallocate(static_cast<std::max_align_t*>(memory), units(size));
    }
#endif
    Signal* owner;  ///< null as soon as the resumption is on its way
  };
  template <class Handler>
  struct PendingOf final : Pending {
    PendingOf(Signal* signal, Handler handler_in) : Pending{signal}, handler{std::move(handler_in)} {}
    void post(std::unique_ptr<Pending> self, bool woken) override {
      auto executor = boost::asio::get_associated_executor(handler);
      boost::asio::post(executor, [self = std::move(self), woken] {
        auto& pending = static_cast<PendingOf&>(*self);
        // The slot's handler points at us: it must go before we do.
        auto slot = boost::asio::get_associated_cancellation_slot(pending.handler);
        if (slot.is_connected()) slot.clear();
        auto resume = std::move(pending.handler);
        std::move(resume)(woken);
      });
    }
    Handler handler;
  };
  template <class Handler>
  void suspend(Handler handler) {
    VG_CHECK(!pending_);
    auto pending = std::make_unique<PendingOf<Handler>>(this, std::move(handler));
    auto slot = boost::asio::get_associated_cancellation_slot(pending->handler);
    if (slot.is_connected()) {
      slot.assign([raw = pending.get()](boost::asio::cancellation_type) {
        if (raw->owner != nullptr) raw->owner->finish(false);
      });
    }
    pending_ = std::move(pending);
  }
  void finish(bool woken) {
    pending_->owner = nullptr;
    auto* pending = pending_.get();
    pending->post(std::move(pending_), woken);
  }
  std::unique_ptr<Pending> pending_;
};

}  // namespace village::service
