#include "village/net/visit.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace village::net::detail {
namespace {

/// Call cancels the work. From the moment the work is under way only its core touches it; the caller's core
/// holds it, and sends messages.
struct Call {
  explicit Call(Core& core) : there{core} {}
  Core& there;
  asio::cancellation_signal stop;
};

/// Stop is what the caller's cancellation does.
struct Stop {
  std::shared_ptr<Call> call;
  void operator()(asio::cancellation_type type) const {
    asio::post(call->there.io(), [call = call, type] { call->stop.emit(type); });
  }
};

}  // namespace

asio::awaitable<void> undisturbed(asio::awaitable<void> body) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(body);
}

asio::awaitable<void> run_there(Core& there, asio::awaitable<void> body) {
  auto call = std::make_shared<Call>(there);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (auto slot = cancellation.slot(); slot.is_connected()) slot.assign(Stop{call});
  std::exception_ptr failed;
  try {
    co_await asio::co_spawn(there.io().get_executor(), std::move(body),
                            asio::bind_cancellation_slot(call->stop.slot(), asio::use_awaitable));
  } catch (...) {
    failed = std::current_exception();
  }
  // The work's coroutine may still be on its last steps: the signal dies on its core, behind them.
  asio::post(there.io(), [call = std::move(call)] {});
  if (failed) std::rethrow_exception(failed);
}

}  // namespace village::net::detail
