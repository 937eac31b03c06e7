#pragma once
// Bounds of the mixnet's service; rows of `villaged limits` (module "mix").
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "village/base/time.hpp"

namespace village::service::limits {

inline constexpr Duration mix_idle_wake = std::chrono::seconds{1};  ///< a core looks at its worker
inline constexpr Duration mix_count_interval =
    std::chrono::milliseconds{100};  ///< between counts for metrics
inline constexpr Duration mix_control_interval = std::chrono::milliseconds{250};  ///< the epoch clock's look
inline constexpr std::size_t mix_deliveries_max = 64;         ///< of one client on their way to its session
inline constexpr std::size_t mix_posted_max = 8'192;          ///< payloads on their way to the mailboxes
inline constexpr std::size_t mix_loops_posted_max = 1'024;    ///< own loops on their way to who counts them
inline constexpr std::size_t mix_inbox_messages_max = 4'096;  ///< a client's messages until they are fetched
inline constexpr std::size_t mix_inbox_bytes_max = 64 * 1'024 * 1'024;
inline constexpr std::size_t mix_answer_messages_max = 64;  ///< in one answer to a program
inline constexpr std::size_t mix_answer_bytes_max = 2 * 1'024 * 1'024;
inline constexpr Duration mix_loop_late = std::chrono::seconds{5};  ///< beyond what the delays explain: lost
inline constexpr std::size_t mix_observed_max = 4'096;  ///< own loops under way that are written down
inline constexpr std::uint64_t mix_observations_bytes_max = 16 << 20;  ///< both files of them together
inline constexpr Duration mix_observed_age_max = std::chrono::seconds{60};
inline constexpr Duration mix_skew_max = std::chrono::seconds{30};  ///< of our clock against an authority's

}  // namespace village::service::limits
