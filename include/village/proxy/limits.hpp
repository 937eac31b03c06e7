#pragma once
// Bounds of the proxy protocols: what one client may make us hold before it has said where it wants to go.
#include <cstddef>

#include "village/wire/socks_address.hpp"

namespace village::proxy::limits {

inline constexpr std::size_t socks5_message_bytes_max =
    1 + 1 + 255 + 1 + 255;                                       ///< RFC 1929 request, the longest
inline constexpr std::size_t socks4_request_bytes_max = 1024;    ///< with user id and name
inline constexpr std::size_t http_head_bytes_max = 16 * 1024;    ///< start line, fields and blank lines
inline constexpr std::size_t http_fields_max = 200;              ///< field lines of one head
inline constexpr std::size_t http_connection_options_max = 50;   ///< names in Connection fields
inline constexpr std::size_t http_chunk_line_bytes_max = 256;    ///< chunk size with extensions
inline constexpr std::size_t http_trailer_bytes_max = 4 * 1024;  ///< trailer section of a chunked body
inline constexpr std::size_t http_credentials_bytes_max = 512;   ///< decoded Basic credentials
inline constexpr std::size_t upgrade_head_bytes_max = 4 * 1024;  ///< of a WebSocket upgrade with a ticket
inline constexpr std::size_t upgrade_line_bytes_max = 1'024;     ///< of one line of it
inline constexpr std::size_t upgrade_ticket_chars_max = 256;     ///< base64url of an access ticket: 172..226
inline constexpr std::size_t upgrade_answer_bytes_max = 8 * 1024;
inline constexpr std::size_t udp_header_bytes_max = 3 + wire::socks_address_bytes_max;
inline constexpr std::size_t route_rules_max = 65'536;
inline constexpr std::size_t route_entries_max = 4'000'000;  ///< list entries over all rules

static_assert(http_fields_max * 3 < http_head_bytes_max);

}  // namespace village::proxy::limits
