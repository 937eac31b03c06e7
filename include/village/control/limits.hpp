#pragma once
// Bounds of the control plane: what a configuration file may be and what a client of the HTTP interface may
// cost.
#include <chrono>
#include <cstddef>

namespace village::control::limits {

inline constexpr std::size_t config_bytes_max = 1 << 20;    ///< one configuration file
inline constexpr std::size_t config_depth_max = 32;         ///< brackets inside one another
inline constexpr std::size_t config_diagnostics_max = 100;  ///< errors or warnings shown of one file
inline constexpr std::size_t list_entries_max = 65'536;     ///< entries of one list in the configuration
inline constexpr std::size_t peer_uri_bytes_max = 2'048;    ///< an invitation
inline constexpr std::size_t http_connections_max = 64;     ///< open at once, both listeners together
inline constexpr std::size_t http_header_bytes_max = 8 * 1024;
inline constexpr std::size_t http_body_bytes_max = 64 * 1024;
inline constexpr std::size_t http_message_bytes_max = 1 << 20;  ///< body of a message for the mixnet
inline constexpr auto mix_wait_max = std::chrono::seconds{60};  ///< of a request for messages that come
inline constexpr std::size_t http_target_bytes_max = 1'024;
inline constexpr auto http_idle_max = std::chrono::seconds{10};  ///< for one request, and between two
inline constexpr std::size_t http_reply_bytes_max = 16 << 20;    ///< what `status` takes from a daemon

}  // namespace village::control::limits
