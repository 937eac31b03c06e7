#pragma once
// Sizes of the Sphinx packet. Source: nymtech/sphinx (crate sphinx-packet 0.6.0), constants.
#include <cstddef>

namespace village::sphinx::limits {

inline constexpr std::size_t hops_max = 5;      ///< slots of a header; 1 to 5 are used
inline constexpr std::size_t slot_bytes = 60;   ///< routing of one hop with the MAC of the next
inline constexpr std::size_t alpha_bytes = 32;  ///< X25519 public value
inline constexpr std::size_t mac_bytes = 16;
inline constexpr std::size_t routing_bytes = hops_max * slot_bytes;  ///< encrypted routing, "beta"
inline constexpr std::size_t header_bytes = alpha_bytes + mac_bytes + routing_bytes;

inline constexpr std::size_t payload_bytes_min = 38;       ///< the smallest in use (acknowledgements of Nym)
inline constexpr std::size_t payload_bytes_max = 32'768;   ///< more is refused as a configuration
inline constexpr std::size_t payload_overhead_bytes = 17;  ///< 16 zeros in front, one 0x01 behind

inline constexpr std::size_t payload_bytes_n2048 = 1'700;  ///< profile N-2048: what the overlay uses
inline constexpr std::size_t payload_bytes_nreg = 2'065;   ///< profile N-REG: Nym's regular packet

inline constexpr std::size_t batch_packets_max = 64;  ///< unwrapped together; one bit of a mask each

inline constexpr std::size_t payload_seed_bytes = 16;  ///< of one hop, version 259
inline constexpr std::size_t payload_key_bytes = 192;  ///< of one hop, version 258

/// packet_bytes is the size of a packet with a payload of so many bytes: 2,048 for N-2048, 2,413 for N-REG.
constexpr std::size_t packet_bytes(std::size_t payload_bytes) { return header_bytes + payload_bytes; }
static_assert(packet_bytes(payload_bytes_n2048) == 2'048 && packet_bytes(payload_bytes_nreg) == 2'413);

}  // namespace village::sphinx::limits
