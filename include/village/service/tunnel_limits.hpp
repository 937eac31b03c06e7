#pragma once
// Bounds of the tunnel service; rows of `villaged limits` (module "htx", where the operator looks for them).
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "village/base/time.hpp"
#include "village/htx/limits.hpp"

namespace village::service::limits {

// Memory of one session. Idle: none. Busy: one I/O buffer for each direction.
inline constexpr std::size_t tunnel_io_buffer_bytes = 131'072;  ///< holds any frame (65,535) and batches many
inline constexpr std::size_t tunnel_io_buffers_kept_max = 32;   ///< free list of one core: 4 MiB
// Received bytes that wait for their reader; their sum is bounded by the credit given (htx::Settings
// windows).
inline constexpr std::size_t tunnel_queue_small_bytes = 2'048;
inline constexpr std::size_t tunnel_queue_block_bytes = 16'384;
inline constexpr std::size_t tunnel_queue_blocks_kept_max = 256;  ///< free list of one core: 4 MiB

inline constexpr std::size_t tunnel_dials_waiting_max =
    4'096;  ///< per peer and core: dials without a session yet

inline constexpr Duration tunnel_linger_max =
    std::chrono::seconds{2};  ///< after CLOSE: flush and wait for the peer
inline constexpr Duration tunnel_half_closed_max =
    std::chrono::seconds{60};  ///< exit: one direction done, other idle
inline constexpr Duration tunnel_stream_idle_max =
    std::chrono::minutes{30};  ///< exit: nothing in either direction
inline constexpr Duration tunnel_udp_idle_max =
    std::chrono::minutes{5};  ///< exit: an association without datagrams (RFC 4787 REQ-5)

/// Streams of a session that status shows, the busiest.
inline constexpr std::size_t tunnel_status_streams_max = 8;

// The decoy: strangers' bytes on their way, and the files of a directory decoy.
inline constexpr std::size_t decoy_buffer_bytes = 16'384;  ///< in each direction, while bytes move
inline constexpr Duration decoy_half_closed_max =
    std::chrono::seconds{60};  ///< after the origin's FIN: what the kernel gives an orphan
// A core awake for a web server beside it (DecoyVigil).
inline constexpr Duration decoy_vigil_max = std::chrono::microseconds{250};  ///< for one answer
inline constexpr int decoy_vigil_share = 8;  ///< at most an eighth of a core's time,
inline constexpr Duration decoy_vigil_burst = std::chrono::milliseconds{20};  ///< but for so long in a row

inline constexpr std::size_t decoy_site_files_max = 1'000;
inline constexpr std::size_t decoy_site_bytes_max = 16 * 1'024 * 1'024;
inline constexpr Duration decoy_site_patience = std::chrono::seconds{60};  ///< for a head, and for an answer
inline constexpr Duration decoy_site_linger = std::chrono::seconds{5};     ///< after our FIN

// HTTP/2 of a directory decoy, for each connection.
inline constexpr std::uint32_t decoy_h2_streams_max = 32;
inline constexpr std::uint32_t decoy_h2_field_bytes_max = 8'192;  ///< of a request, as RFC 9113 6.5.2 counts
inline constexpr std::size_t decoy_h2_acks_max = 64;              ///< of PING and SETTINGS, waiting to leave
inline constexpr std::size_t decoy_h2_requests_max = 1'000;
inline constexpr std::size_t decoy_h2_body_bytes_max = 16 * 1'024 * 1'024;  ///< of all requests, dropped
inline constexpr std::size_t decoy_h2_nuisances_max =
    256;  ///< RST_STREAM, PING, SETTINGS, PRIORITY, empty DATA, CONTINUATION and unknown frames together

// File of accepted tickets: rewritten when it holds twice what is of use and at least so many entries.
inline constexpr std::size_t replay_file_entries_min = 65'536;
inline constexpr std::size_t replay_file_entries_max = 2 * htx::limits::ticket_replays_max;
inline constexpr Duration replay_file_retry = std::chrono::minutes{1};  ///< after a failure
inline constexpr std::uint64_t replay_hours_ahead_max = 24 * 366;       ///< a stale hour beyond: damage
inline constexpr std::uint64_t replay_hour_max = 1U << 22;  ///< an entry's hour beyond (year 2448): damage

static_assert(tunnel_io_buffer_bytes >= 65'535 * 2);  // a rest of one frame and room for another

}  // namespace village::service::limits
