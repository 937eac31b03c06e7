#pragma once
// `ATYP ADDR PORT`, the address form of SOCKS5 that HTX streams and datagrams use too. Source: RFC 1928
// section 5.
//
//   1 | 4 bytes  | port 16        IPv4
//   3 | n | name | port 16        name of n bytes, n = 1..255
//   4 | 16 bytes | port 16        IPv6
#include "village/base/target.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::wire {

enum class AddressType : std::uint8_t { ipv4 = 1, name = 3, ipv6 = 4 };

inline constexpr std::size_t socks_address_bytes_max = 1 + 1 + 255 + 2;

/// read_target takes one address. Port 0 is malformed unless `allow_zero_port` (UDP ASSOCIATE, BIND replies).
/// Errors: truncated, unsupported (unknown ATYP; detail = its value), malformed (empty name, forbidden
/// character, port). Does not move on failure, so a stream reader may retry a truncated one when more bytes
/// came.
Result<Target> read_target(Reader& reader, bool allow_zero_port = false);

/// write_target writes at most socks_address_bytes_max bytes.
void write_target(Writer& writer, const Target& target);

/// target_bytes is the size that write_target writes.
std::size_t target_bytes(const Target& target);

}  // namespace village::wire
