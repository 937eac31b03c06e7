#pragma once
// Visits: one core's coroutine waits for work that another core does.
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "village/net/core.hpp"
#include "village/net/deadline.hpp"

namespace village::net {

namespace detail {
/// run_there runs `body` on `there` and resumes the caller, on its own core, when it has ended.
asio::awaitable<void> run_there(Core& there, asio::awaitable<void> body);
/// undisturbed lets a body that is cancelled end by its own errors instead of an exception.
asio::awaitable<void> undisturbed(asio::awaitable<void> body);
}  // namespace detail

/// visit runs `work` on `there` and resumes the caller, on its own core, with the value. Cancelling the
/// caller while it waits cancels the work, whose end is awaited all the same: what `work` refers to may be
/// the caller's. Exceptions of the work pass through. Two posts and three small allocations: for control, not
/// for packets.
///
/// Use it in place of co_spawn on another core: Asio frees what cancels the work on the caller's core while
/// the work's core may still use it.
template <class T>
asio::awaitable<T> visit(Core& there, asio::awaitable<T> work) {
  if constexpr (std::is_void_v<T>) {
    co_await detail::run_there(there, detail::undisturbed(std::move(work)));
  } else {
    std::optional<T> value;
    co_await detail::run_there(there, detail::keep(std::move(work), value));
    co_return std::move(*value);
  }
}

}  // namespace village::net
