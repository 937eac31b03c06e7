#pragma once
// Bounds of the gateway. What the operator can set lies in GatewayOptions; these are the fixed ones.
#include <chrono>
#include <cstddef>

namespace village::service::gateway_limits {

inline constexpr std::size_t handshake_read_bytes = 2 * 1024;  ///< read at once while a handshake lasts
inline constexpr std::size_t copy_bytes = 32 * 1024;    ///< one direction of a plain HTTP body under way
inline constexpr std::size_t interim_answers_max = 32;  ///< 1xx answers before the final one
inline constexpr std::size_t farewell_bytes_max = 256 * 1024;  ///< read and dropped behind an error reply
inline constexpr auto farewell_time_max = std::chrono::seconds{3};  ///< RFC 1928 section 6 allows 10 s
inline constexpr auto reply_time_max =
    std::chrono::seconds{5};  ///< for a client that does not take its reply

inline constexpr std::size_t udp_names_pending_max =
    32;  ///< datagrams of one association that wait for a name
inline constexpr std::size_t udp_socket_bytes = 1024 * 1024;  ///< kernel buffers asked for, each socket
inline constexpr std::size_t udp_sockets_per_association =
    3;  ///< the client's, and one for each address family

}  // namespace village::service::gateway_limits
