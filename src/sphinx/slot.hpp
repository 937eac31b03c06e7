#pragma once
// The 60 bytes of a header that one hop reads:
//
//   forward   01 | version 3 | next address 32 | delay 8 (ns) | MAC of the next header 16
//   last      02 | version 3 | destination 32 | identifier 16 | random to the end of the header
//
// Source: nymtech/sphinx, header/routing.
#include <algorithm>

#include "village/sphinx/unwrap.hpp"

namespace village::sphinx {

inline constexpr std::size_t slot_address_at = 4, slot_delay_at = 36, slot_mac_at = 44;
inline constexpr std::size_t slot_identifier_at = 36, last_slot_bytes = 52;
inline constexpr std::byte forward_flag{1}, last_flag{2};

inline void write_slot_front(ByteSpan out, std::byte flag, Version version, const ByteArray<32>& address) {
  out[0] = flag;
  out[1] = std::byte{0};
  out[2] = static_cast<std::byte>(static_cast<std::uint16_t>(version) >> 8);
  out[3] = static_cast<std::byte>(static_cast<std::uint16_t>(version) & 0xFF);
  std::ranges::copy(address, out.begin() + slot_address_at);
}

inline void write_forward_slot(ByteSpan out, Version version, const NodeAddress& next, std::uint64_t delay_ns,
                               std::span<const std::byte, limits::mac_bytes> mac) {
  write_slot_front(out, forward_flag, version, next);
  for (std::size_t i = 0; i < 8; ++i)
    out[slot_delay_at + i] = static_cast<std::byte>(delay_ns >> (56 - 8 * i) & 0xFF);
  std::ranges::copy(mac, out.begin() + slot_mac_at);
}

inline void write_last_slot(ByteSpan out, Version version, const Destination& destination,
                            const Identifier& identifier) {
  write_slot_front(out, last_flag, version, destination);
  std::ranges::copy(identifier, out.begin() + slot_identifier_at);
}

/// read_slot fills `routing` from a decrypted slot.
inline Reject read_slot(std::span<const std::byte, limits::slot_bytes> slot, Routing& routing) {
  if (slot[0] != forward_flag && slot[0] != last_flag) return Reject::flag;
  const auto version = std::to_integer<unsigned>(slot[1]) << 16 | std::to_integer<unsigned>(slot[2]) << 8 |
                       std::to_integer<unsigned>(slot[3]);
  routing.version = static_cast<Version>(version);
  if (version != static_cast<unsigned>(Version::payload_keys) &&
      version != static_cast<unsigned>(Version::payload_seeds))
    return Reject::version;
  routing.last = slot[0] == last_flag;
  auto& address = routing.last ? routing.destination : routing.next;
  std::ranges::copy(slot.subspan<slot_address_at, 32>(), address.begin());
  if (routing.last) {
    std::ranges::copy(slot.subspan<slot_identifier_at, 16>(), routing.identifier.begin());
    return Reject::none;
  }
  routing.delay_ns = 0;
  for (const auto b : slot.subspan<slot_delay_at, 8>())
    routing.delay_ns = routing.delay_ns << 8 | std::to_integer<std::uint64_t>(b);
  return Reject::none;
}

}  // namespace village::sphinx
