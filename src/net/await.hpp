#pragma once
// What every waiting operation of this module shares: the completion token, and sticky cancellation.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "village/net/error_code.hpp"
#include "village/net/stream.hpp"

namespace village::net {

/// as_result makes an operation end with (error_code, ...) instead of throwing.
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// VG_CO_STOP_IF_CANCELLED ends the coroutine with `cancelled` if it has been cancelled before.
#define VG_CO_STOP_IF_CANCELLED()                                                       \
  do {                                                                                  \
    const auto vg_cancellation = co_await ::boost::asio::this_coro::cancellation_state; \
    if (vg_cancellation.cancelled() != ::boost::asio::cancellation_type::none)          \
      co_return ::village::fail(::village::Errc::cancelled);                            \
  } while (false)

}  // namespace village::net
