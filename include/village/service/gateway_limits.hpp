#pragma once
// Bounds of the gateway. What the operator can set lies in GatewayOptions; these are the fixed ones.
#include <chrono>
#include <cstddef>

namespace village::service::gateway_limits {

/// Read at once while a handshake lasts.
inline constexpr std::size_t handshake_read_bytes = 2 * 1024;
/// One direction of a plain HTTP body under way.
inline constexpr std::size_t copy_bytes = 32 * 1024;
/// 1xx answers before the final one.
inline constexpr std::size_t interim_answers_max = 32;
/// Read and dropped behind an error reply, for so long. RFC 1928 section 6 allows 10 s.
inline constexpr std::size_t farewell_bytes_max = 256 * 1024;
inline constexpr auto farewell_time_max = std::chrono::seconds{3};
/// For a client that does not take its reply.
inline constexpr auto reply_time_max = std::chrono::seconds{5};

/// Datagrams of one association that wait for a name, and their bytes.
inline constexpr std::size_t udp_names_pending_max = 32;
inline constexpr std::size_t udp_names_pending_bytes_max = 64 * 1024;
/// Kernel buffers asked for, each socket; an association has the client's and one for each address family.
inline constexpr std::size_t udp_socket_bytes = 1024 * 1024;
inline constexpr std::size_t udp_sockets_per_association = 3;

}  // namespace village::service::gateway_limits
