#pragma once
// Timers of a core.
#include <algorithm>
#include <boost/asio/steady_timer.hpp>

#include "village/net/core.hpp"

namespace village::net {

using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                boost::asio::wait_traits<std::chrono::steady_clock>,
                                                boost::asio::io_context::executor_type>;

/// set_timer makes `timer` expire at `when` of the core's clock.
inline void set_timer(Timer& timer, Core& core, Instant when) {
  // Instant::max() and friends: "never" must not overflow the timer's arithmetic.
  const auto delay = std::min<Duration>(when - core.clock().now(), std::chrono::hours{24 * 365});
  timer.expires_after(delay);
}

}  // namespace village::net
