#include "village/sphinx/types.hpp"

#include <algorithm>

namespace village::sphinx {
namespace {

constexpr std::byte ipv4_type{4}, ipv6_type{6};
constexpr std::size_t octets_offset = 3;

template <std::size_t N>
NodeAddress written(std::byte type, const ByteArray<N>& octets, std::uint16_t port) {
  NodeAddress address{};
  address[0] = type;
  address[1] = static_cast<std::byte>(port >> 8);
  address[2] = static_cast<std::byte>(port & 0xFF);
  std::ranges::copy(octets, address.begin() + octets_offset);
  return address;
}

template <std::size_t N>
Result<Target> read(const NodeAddress& address) {
  const auto port = static_cast<std::uint16_t>(std::to_integer<unsigned>(address[1]) << 8 |
                                               std::to_integer<unsigned>(address[2]));
  const auto tail = ByteView{address}.subspan(octets_offset + N);
  if (port == 0 || std::ranges::any_of(tail, [](std::byte b) { return b != std::byte{0}; }))
    return Error{Errc::malformed};
  ByteArray<N> octets;
  std::ranges::copy(ByteView{address}.subspan(octets_offset, N), octets.begin());
  return Target{octets, port};
}

}  // namespace

NodeAddress node_address(const Ipv4Address& address, std::uint16_t port) {
  return written(ipv4_type, address, port);
}

NodeAddress node_address(const Ipv6Address& address, std::uint16_t port) {
  return written(ipv6_type, address, port);
}

Result<Target> target_of(const NodeAddress& address) {
  if (address[0] == ipv4_type) return read<4>(address);
  if (address[0] == ipv6_type) return read<16>(address);
  return Error{Errc::unsupported};
}

}  // namespace village::sphinx
