#pragma once
// Bounds of the daemon module.
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "village/base/time.hpp"

namespace village::daemon::limits {

inline constexpr std::uint32_t log_lines_burst = 2'000;     ///< lines that may come at once
inline constexpr std::uint32_t log_lines_per_second = 200;  ///< and steadily; more are counted and dropped
inline constexpr std::size_t last_errors_max = 8;           ///< lines kept for `villaged status`
inline constexpr std::size_t inherited_sockets_max = 64;    ///< LISTEN_FDS above that is not believed
inline constexpr Duration ticket_report_interval = std::chrono::hours{1};
// Ticket keys and a wall clock that may be wrong: what counts as a jump beside the monotonic clock, how long
// after one no key takes over by age, and how long the clock must have gone evenly before a key is deleted by
// age.
inline constexpr Duration wall_jump_min = std::chrono::hours{1};
inline constexpr Duration ticket_rotate_after_jump = std::chrono::hours{1};
inline constexpr Duration ticket_delete_steady = std::chrono::hours{24};
inline constexpr Duration heartbeat_interval = std::chrono::seconds{10};  ///< without a watchdog
inline constexpr Duration start_max = std::chrono::seconds{30};  ///< until every core has answered once

}  // namespace village::daemon::limits
