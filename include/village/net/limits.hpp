#pragma once
// Bounds of `net`. An idle relay holds 8 KiB of coroutine frames; buffers and pipes only while bytes move.
#include <chrono>
#include <cstddef>

namespace village::net::limits {

inline constexpr std::size_t connections_max = 65'536;  ///< accepted and alive, one listener, one core
inline constexpr std::size_t listen_backlog = 4'096;    ///< asked of the kernel (somaxconn caps it)
inline constexpr std::size_t accepts_per_turn = 64;     ///< connections taken before others get the core
inline constexpr auto accept_pause_min =
    std::chrono::milliseconds{10};  ///< first pause when descriptors ran out
inline constexpr auto accept_pause_max = std::chrono::milliseconds{1'000};

inline constexpr std::size_t dns_cache_entries = 4'096;  ///< names one core remembers
inline constexpr std::size_t dns_lookups_max = 1'024;    ///< names one core asks for at a time
inline constexpr std::size_t dns_waiters_max = 16'384;   ///< callers that wait for them
inline constexpr std::size_t addresses_per_name = 16;    ///< of each family
inline constexpr auto dns_time_max = std::chrono::seconds{5};
inline constexpr auto dns_ttl_max = std::chrono::hours{1};
inline constexpr auto dns_ttl_negative = std::chrono::seconds{5};
inline constexpr auto dns_ttl_failure = std::chrono::seconds{1};
/// How long the first family's answer waits for the other's. RFC 8305 section 3 (Resolution Delay).
inline constexpr auto dns_family_delay = std::chrono::milliseconds{50};

/// RFC 8305 section 8, Connection Attempt Delay.
inline constexpr auto connect_stagger = std::chrono::milliseconds{250};

inline constexpr std::size_t relay_buffer_bytes = 64 * 1024;
inline constexpr std::size_t relay_buffers_max = 2'048;  ///< in use on one core; then 4 KiB each instead
inline constexpr std::size_t relay_bytes_kept =
    4 * 1024 * 1024;                                ///< idle, of each size, for reuse on one core
inline constexpr std::size_t relay_pipes_max = 32;  ///< splice pipes in use on one core; then copying
inline constexpr std::size_t relay_pipe_bytes = 1024 * 1024;
static_assert(relay_buffers_max * relay_buffer_bytes <= 128 * 1024 * 1024);

inline constexpr std::size_t tls_record_bytes = 16 * 1024;
inline constexpr std::size_t tls_first_record_bytes =
    1'300;  ///< fits a segment; used for the first 64 KiB after idle
inline constexpr std::size_t tls_first_bytes = 64 * 1024;
inline constexpr auto tls_idle = std::chrono::seconds{1};
inline constexpr std::size_t tls_batch_bytes = 128 * 1024;  ///< ciphertext gathered before one write
inline constexpr std::size_t tls_read_bytes = 64 * 1024;    ///< ciphertext taken by one read
inline constexpr std::size_t tls_chain_certificates = 10;

inline constexpr std::size_t udp_batch = 64;         ///< datagrams or GSO groups one system call moves
inline constexpr std::size_t udp_segments_max = 64;  ///< segments of one GSO group (UDP_MAX_SEGMENTS)
inline constexpr std::size_t udp_payload_max = 65'507;

}  // namespace village::net::limits
