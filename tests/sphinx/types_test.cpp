#include "village/sphinx/types.hpp"

#include <gtest/gtest.h>

namespace village::sphinx {
namespace {

TEST(NodeAddress, WritesAndReadsBothFamilies) {
  for (const auto* text : {"192.0.2.7:1789", "[2001:db8::1]:65535"}) {
    const auto target = *parse_target(text);
    const auto address = std::holds_alternative<Ipv4Address>(target.host)
                             ? node_address(std::get<Ipv4Address>(target.host), target.port)
                             : node_address(std::get<Ipv6Address>(target.host), target.port);
    EXPECT_EQ(*target_of(address), target);
  }
  EXPECT_EQ(to_hex(node_address(Ipv4Address{std::byte{192}, std::byte{0}, std::byte{2}, std::byte{7}}, 1789)),
            "0406fdc000020700000000000000000000000000000000000000000000000000");
}

TEST(NodeAddress, RefusesOtherTypesPortZeroAndTails) {
  auto address = node_address(Ipv4Address{}, 1);
  address[31] = std::byte{1};
  EXPECT_EQ(target_of(address).error().code, Errc::malformed);
  EXPECT_EQ(target_of(node_address(Ipv6Address{}, 0)).error().code, Errc::malformed);
  EXPECT_EQ(target_of(NodeAddress{}).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace village::sphinx
