#pragma once
// The values that a Sphinx header carries. Sources: nymtech/sphinx, header/routing; nymtech/nym, addressing.
#include <cstdint>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/target.hpp"

namespace village::sphinx {

using NodeAddress = ByteArray<32>;  ///< of the next hop; see node_address
using Destination = ByteArray<32>;  ///< what the last hop hands the payload to: node id 20 | zeros 12
using Identifier = ByteArray<16>;   ///< of a reply block; any value
using ReplayTag = ByteArray<32>;    ///< the same for every packet with one shared secret

/// Version is what a slot says of the key schedule. All layers of a packet carry the same.
enum class Version : std::uint16_t {
  payload_keys = 258,   ///< 192-byte payload keys straight from the key expansion
  payload_seeds = 259,  ///< payload keys derived from 16-byte seeds; what is sent
};

/// node_address writes an address as `04 | port | 4 octets` or `06 | port | 16 octets` and zeros.
NodeAddress node_address(const Ipv4Address& address, std::uint16_t port);
NodeAddress node_address(const Ipv6Address& address, std::uint16_t port);
/// target_of reads one back. Errors: unsupported (another first byte), malformed (port 0, non-zero tail).
Result<Target> target_of(const NodeAddress& address);

}  // namespace village::sphinx
