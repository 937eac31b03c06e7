#pragma once
// Deadlines: bounding any coroutine in time, and sleeping.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "village/net/core.hpp"
#include "village/net/stream.hpp"

namespace village::net {

/// sleep_until waits until `when`. Errors: cancelled.
Task<void> sleep_until(Core& core, Instant when);

/// after is the instant `delay` from now on the core's clock.
inline Instant after(Core& core, Duration delay) { return core.clock().now() + delay; }

namespace detail {
/// run_until runs `body` as a child that is cancelled at `deadline` or with its parent, waits for its end,
/// and says whether the deadline was the reason. Exceptions of the body pass through.
asio::awaitable<bool> run_until(Core& core, asio::awaitable<void> body, Instant deadline);
template <class T>
asio::awaitable<void> keep(asio::awaitable<T> operation, std::optional<T>& value) {
  co_await asio::this_coro::throw_if_cancelled(false);
  auto result = co_await std::move(operation);
  value.emplace(std::move(result));
}
}  // namespace detail

/// with_deadline runs `operation` and cancels it at `deadline`: then, and only if it did not succeed all the
/// same, the error is timed_out. Cancelling the caller cancels the operation, which ends with `cancelled`. It
/// always waits for the operation's end. About 1 us more than the bare operation: for handshakes and dials,
/// not for packets.
template <class T>
Task<T> with_deadline(Core& core, Task<T> operation, Instant deadline) {
  if (deadline <= core.clock().now()) co_return fail(Errc::timed_out);
  std::optional<Result<T>> value;
  const bool expired = co_await detail::run_until(core, detail::keep(std::move(operation), value), deadline);
  if (!value) co_return fail(expired ? Errc::timed_out : Errc::cancelled);
  if (expired && value->has_error()) co_return fail(Errc::timed_out);
  co_return std::move(*value);
}

}  // namespace village::net
