#include "village/net/deadline.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include "net/await.hpp"
#include "net/timer.hpp"

namespace village::net {
namespace {

/// Bounded is shared with the timer's handler, which may run after the operation has ended.
struct Bounded {
  explicit Bounded(Core& core) : timer{core.io()} {}
  asio::cancellation_signal signal;
  Timer timer;
  bool expired = false;
  bool done = false;
};

/// Finish marks the end of the operation on every way out.
struct Finish {
  Bounded& bounded;
  ~Finish() {
    bounded.done = true;
    bounded.timer.cancel();
  }
};

}  // namespace

Task<void> sleep_until(Core& core, Instant when) {
  VG_CO_STOP_IF_CANCELLED();
  Timer timer{core.io()};
  set_timer(timer, core, when);
  const auto [code] = co_await timer.async_wait(as_result);
  if (code) co_return to_error(code);
  co_return ok();
}

namespace detail {

asio::awaitable<bool> run_until(Core& core, asio::awaitable<void> body, Instant deadline) {
  const auto parent = co_await asio::this_coro::cancellation_state;
  if (parent.cancelled() != asio::cancellation_type::none) co_return false;
  const auto bounded = std::make_shared<Bounded>(core);
  const Finish finish{*bounded};
  set_timer(bounded->timer, core, deadline);
  bounded->timer.async_wait([bounded](const boost::system::error_code& code) {
    if (code || bounded->done) return;
    bounded->expired = true;
    bounded->signal.emit(asio::cancellation_type::terminal);
  });
  auto parent_slot = parent.slot();
  if (parent_slot.is_connected()) {
    parent_slot.assign([raw = bounded.get()](asio::cancellation_type type) {
      if (!raw->done) raw->signal.emit(type);
    });
  }
  // Asio clears the parent's slot when the child's end resumes this coroutine.
  co_await asio::co_spawn(core.io().get_executor(), std::move(body),
                          asio::bind_cancellation_slot(bounded->signal.slot(), asio::use_awaitable));
  co_return bounded->expired;
}

}  // namespace detail
}  // namespace village::net
