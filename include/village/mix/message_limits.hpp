#pragma once
// Bounds of messages: what strangers can make a client or its gateway keep. Source: decisions/mix; those
// without a source are in docs/decisions/010.
#include <cstddef>

#include "village/base/time.hpp"
#include "village/sphinx/limits.hpp"

namespace village::mix::limits {

// Messages.
inline constexpr std::size_t message_bytes_max = 1024 * 1024;  ///< what a user may send at once
inline constexpr std::size_t reply_blocks_max = 32;            ///< handed out with one message
inline constexpr std::size_t reply_block_bytes = 396;          ///< own form: header, first address, last seed
inline constexpr std::size_t reply_block_bytes_max = 348 + 32 + 5 * 192;  ///< all-keys form of version 258
inline constexpr std::size_t envelope_overhead_bytes = 8 + 1 + 2;  ///< epoch, form, length of a reply block
inline constexpr std::size_t payload_envelopes_max = 8;  ///< reply blocks in the clear of one payload
inline constexpr std::size_t payload_overhead_bytes = 1 + 16 + 2 + 2 + 1 + 2;
/// What sealing adds at most: ephemeral, static, head, a tag for each started 65,519 bytes, reply blocks.
inline constexpr std::size_t sealed_bytes_max =
    message_bytes_max + 256 + 17 * 16 + 1 +
    reply_blocks_max * (envelope_overhead_bytes + reply_block_bytes_max);
inline constexpr std::size_t fragments_max = 2'048;  ///< of one message; 1 MiB has 838 to 885 in N-2048

// Receiving.
inline constexpr std::size_t reassembly_bytes_max = 64 * 1024 * 1024;  ///< of all unfinished messages
inline constexpr std::size_t sender_bytes_max = 16 * 1024 * 1024;  ///< of one known sender's, or all unknown
inline constexpr std::size_t partial_messages_max = 4'096;
inline constexpr std::size_t sender_messages_max = 1'024;  ///< unfinished ones of one known sender
inline constexpr std::size_t partial_message_bytes = 512;  ///< counted for a message beside its data
inline constexpr std::size_t fragment_bytes = 64;          ///< counted for a fragment beside its data
inline constexpr auto fragment_wait_max = std::chrono::minutes{10};  ///< without progress
inline constexpr auto partial_time_max = std::chrono::hours{1};      ///< with progress
inline constexpr std::size_t seen_messages_max = 1 << 18;
inline constexpr auto message_age_max = std::chrono::hours{25};      ///< sealed longer ago: refused
inline constexpr auto message_ahead_max = std::chrono::minutes{10};  ///< sealed later than now: refused
inline constexpr auto seen_time = std::chrono::hours{26};
static_assert(seen_time >= message_age_max + message_ahead_max);
inline constexpr std::size_t receipts_held_max = 4'096;  ///< deliveries not acknowledged to the gateway yet
inline constexpr std::size_t receipts_waiting_max = 65'536;  ///< not sent yet; more come again next session
inline constexpr std::size_t received_blocks_max = 16'384;   ///< reply blocks of others, to reply by

// Sending.
inline constexpr std::size_t outbox_bytes_max = 64 * 1024 * 1024;
inline constexpr std::size_t outbox_messages_max = 4'096;
/// Of all messages to one recipient, what may be under way at once: a part of what he keeps for one sender.
inline constexpr std::size_t large_bytes_under_way_max = 4 * 1024 * 1024;
inline constexpr std::size_t small_bytes_under_way_max = 2 * 1024 * 1024;
inline constexpr std::size_t small_message_bytes = 64 * 1024;
static_assert(sealed_bytes_max <= large_bytes_under_way_max);
static_assert(large_bytes_under_way_max + small_bytes_under_way_max <= sender_bytes_max / 2);
inline constexpr std::size_t window_start = 32;  ///< fragments of one message under way
inline constexpr std::size_t window_max = 256;
inline constexpr unsigned transmissions_max = 6;  ///< the first and five more
inline constexpr std::size_t reply_keys_max = 65'536;
inline constexpr std::size_t acknowledgements_max = 16'384;  ///< waiting to be sent; more are dropped
inline constexpr auto send_time_default = std::chrono::hours{1};
inline constexpr auto send_time_max = std::chrono::hours{24};
inline constexpr std::size_t events_max = 16'384;

// Cover.
inline constexpr std::size_t burst_max = 64;  ///< packets that a late stream makes up for at once
inline constexpr std::size_t loops_max = 16'384;

// Gateway.
inline constexpr std::size_t mailbox_messages_max = 10'000;  ///< of one client
inline constexpr auto mailbox_time_max = std::chrono::hours{24};
inline constexpr std::size_t mailbox_bytes_max = 256 * 1024 * 1024;  ///< of all clients, by default
inline constexpr std::size_t mailbox_clients_max = 65'536;
inline constexpr std::size_t mailbox_entry_bytes = 64;  ///< counted for an entry beside its payload
inline constexpr std::size_t record_acknowledgements_max = 8;

}  // namespace village::mix::limits
