#pragma once
// Bounds of HTX: what one peer can make this side keep or do. Sources: decisions/htx, htx.md sections 5
// and 6.
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "village/base/time.hpp"

namespace village::htx::limits {

// Handshake.
inline constexpr std::size_t handshake_padding_bytes_max = 3'072;  ///< zeros behind the identity proof
inline constexpr std::size_t handshake_flight_bytes_max = 4'096 + handshake_padding_bytes_max;

// Streams.
inline constexpr std::uint32_t peer_streams_max =
    131'072;                                             ///< the most that Settings::peer_streams_max may say
inline constexpr std::uint32_t early_streams_max = 128;  ///< opened before the peer told its limit
inline constexpr std::uint32_t streams_unread_max =
    65'536;  ///< ended both ways, but the application has not read all

// Flow control. What waits unread at the application is at most the connection window.
inline constexpr std::uint32_t connection_credit_start = 65'535;
inline constexpr std::uint32_t stream_credit_start = 32'768;
inline constexpr std::uint32_t credit_max = 0x7FFF'FFFF;  ///< sum of credit; more is a violation
inline constexpr std::uint32_t connection_window_bytes_max = 64 << 20;
inline constexpr std::uint32_t silly_window_bytes = 1'024;  ///< smaller credit is not worth a frame

// Sending: unsent bytes of a session whose peer gives no credit. Above the total each stream keeps its share.
inline constexpr std::size_t session_unsent_bytes_max = 48 << 20;
inline constexpr std::size_t stream_unsent_share_bytes = 8 << 10;

// Datagrams that wait to be sent; more are dropped and counted.
inline constexpr std::size_t stream_datagram_bytes_max = 64 << 10;
inline constexpr std::size_t session_datagram_bytes_max = 1 << 20;

// Control.
inline constexpr std::size_t capability_message_bytes_max = 4'096;
inline constexpr std::size_t capability_ids_max = 16;
inline constexpr std::size_t ping_echoes_max = 16;  ///< waiting to be sent; more are dropped and counted
inline constexpr std::size_t refusals_max =
    4'096;  ///< resets waiting to be sent because the peer broke a limit
inline constexpr std::size_t close_reason_bytes_max = 256;
inline constexpr std::size_t reset_reasons_bytes_max =
    64 << 10;  ///< texts of resets waiting to be sent; above it only codes go
inline constexpr std::uint32_t idle_frames_burst = 16'384;  ///< frames that carry nothing, at once
inline constexpr std::uint32_t idle_frames_per_second = 4'096;
inline constexpr std::uint32_t resets_burst =
    8'192;  ///< resets by the peer before its new streams are refused
inline constexpr std::uint32_t resets_per_second = 1'000;
inline constexpr Duration idle_time =
    std::chrono::seconds{15};  ///< without streams' data, then memory goes back
inline constexpr Duration relief_interval =
    std::chrono::seconds{1};  ///< between two looks for slow readers of a session that is full
inline constexpr Duration drain_time = std::chrono::seconds{2};

// Key updates: one after so many frames or bytes is free, others take from a bucket.
inline constexpr std::uint64_t key_update_free_frames = 4'096;
inline constexpr std::uint64_t key_update_free_bytes = 16 << 20;
inline constexpr unsigned key_update_bucket = 10;
inline constexpr Duration key_update_refill = std::chrono::minutes{1};

// Traffic shape: what a file may say, so that none can flood the wire or keep a session from doing its work.
inline constexpr std::size_t shape_buckets_max = 256;  ///< of one distribution
inline constexpr std::uint32_t shape_weight_max = 1'000'000'000;
inline constexpr std::uint64_t shape_value_max = std::uint64_t{1} << 40;
inline constexpr std::size_t record_bytes_max = 16'384;       ///< plaintext of a TLS record (RFC 8446 5.1)
inline constexpr std::size_t small_record_bytes_max = 4'096;  ///< what a small write may be padded to
inline constexpr std::size_t idle_padding_bytes_max = 4'096;  ///< one idle padding
inline constexpr std::size_t idle_paddings_max = 64;          ///< behind one another without data between
inline constexpr std::size_t first_bytes_max = 1 << 20;       ///< sent in small records after an idle time

// Access tickets, for the whole node.
inline constexpr std::size_t ticket_keys_max = 8;
inline constexpr std::size_t ticket_replays_max = 4 << 20;  ///< the most that TicketRules may say
inline constexpr std::size_t ticket_sources_max = 8'192;    ///< networks with a bucket of their own

// Messages: what a MessageReader keeps between two messages.
inline constexpr std::size_t message_kept_bytes = 64 << 10;

// Re-handshakes: a bucket of starts, and how long one may take.
inline constexpr unsigned rekey_bucket = 4;
inline constexpr Duration rekey_refill = std::chrono::minutes{5};
inline constexpr Duration rekey_time_max = std::chrono::seconds{60};
inline constexpr Duration rekey_slow_max =
    std::chrono::minutes{30};  ///< while what we said may still wait behind our own data

// Memory kept for reuse by one thread.
inline constexpr std::size_t pooled_bytes_max = 128 << 20;     ///< no more than was in use at once
inline constexpr std::size_t pooled_idle_bytes_max = 8 << 20;  ///< left when a session on it falls idle

static_assert(stream_credit_start < connection_credit_start);
static_assert(std::uint64_t{peer_streams_max} * stream_unsent_share_bytes <= (std::uint64_t{1} << 30));

}  // namespace village::htx::limits
