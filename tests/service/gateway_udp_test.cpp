// SOCKS5 UDP ASSOCIATE through the gateway, over real sockets on loopback.
#include "gateway_world.hpp"
#include "support/vectors.hpp"
#include "village/proxy/socks5.hpp"

namespace village::service::test {
namespace {

using village::test::hex;

std::uint64_t dropped(std::string_view reason) {
  return counted("villaged_proxy_udp_dropped_total", "reason=\"" + std::string{reason} + "\"");
}

Bytes datagram(const Target& target, std::string_view data) {
  Bytes out;
  wire::Writer writer{out, 128 * 1024};
  proxy::write_socks5_datagram_header(writer, target);
  writer.text(data);
  return out;
}
Bytes datagram(const net::Endpoint& target, std::string_view data) {
  return datagram(net::to_target(target), data);
}

/// Association is a client's TCP connection and its UDP socket.
struct Association {
  explicit Association(GatewayWorld& world, std::string_view request = "05030001000000000000")
      : control{world.client()},
        socket{net::is_v4(world.entry().ip) ? net::loopback_v4() : net::loopback_v6()} {
    control.send(hex("050100" + std::string{request}));
    const auto head = control.receive(6);
    reply = head.size() == 6 ? static_cast<unsigned char>(head[3]) : -1;
    const bool v6 = head.size() == 6 && head[5] == 4;
    const auto tail = control.receive(v6 ? 18 : 6);
    if (reply == 0) {
      const auto bound = to_bytes(std::string_view{"\0\0\0", 3});
      Bytes whole = bound;
      whole.push_back(static_cast<std::byte>(head[5]));
      for (const char c : tail) whole.push_back(static_cast<std::byte>(c));
      const auto parsed = proxy::parse_socks5_datagram(whole);
      relay = *net::parse_endpoint(to_text(parsed->target));
    }
  }
  void send(const net::Endpoint& target, std::string_view data) {
    socket.send(datagram(target, data), relay);
  }
  /// receive gives the next datagram as "source data".
  std::string receive() {
    const auto [bytes, from] = socket.receive();
    EXPECT_EQ(from, relay);
    const auto parsed = proxy::parse_socks5_datagram(bytes);
    if (!parsed) return "malformed";
    return to_text(parsed->target) + " " + std::string{as_text(parsed->data)};
  }
  Client control;
  UdpPeer socket;
  net::Endpoint relay;
  int reply = -1;
};

std::string text_of(const std::pair<Bytes, net::Endpoint>& received) {
  return std::string{as_text(received.first)};
}

TEST(GatewayUdp, RelayIsWhereTheTcpConnectionIs) {
  GatewayWorld world;
  const Association association{world};
  ASSERT_EQ(association.reply, 0);
  EXPECT_EQ(net::to_text(association.relay.ip), "127.0.0.1");
  EXPECT_NE(association.relay.port, 0);
  EXPECT_EQ(world.status().udp_associations, 1U);
}

TEST(GatewayUdp, CarriesDatagramsBothWays) {
  GatewayWorld world;
  Association association{world};
  UdpPeer server{net::loopback_v4()};
  for (const auto& data : {std::string{"ping"}, std::string{}, std::string(20'000, 'd')}) {
    association.send(server.local(), data);
    const auto got = server.receive();
    EXPECT_EQ(text_of(got), data);
    server.send(as_bytes("pong" + data), got.second);
    EXPECT_EQ(association.receive(), net::to_text(server.local()) + " pong" + data);
  }
}

TEST(GatewayUdp, IsAFullCone) {
  GatewayWorld world;
  Association association{world};
  UdpPeer first{net::loopback_v4()}, second{net::loopback_v4()}, stranger{net::loopback_v4()};
  association.send(first.local(), "1");
  const auto seen_by_first = first.receive().second;
  association.send(second.local(), "2");
  EXPECT_EQ(second.receive().second, seen_by_first);  // one socket for all targets
  stranger.send(as_bytes("hello"), seen_by_first);
  EXPECT_EQ(association.receive(), net::to_text(stranger.local()) + " hello");
}

TEST(GatewayUdp, FragmentsAndGarbageAreDropped) {
  GatewayWorld world;
  Association association{world};
  UdpPeer server{net::loopback_v4()};
  const auto fragments = dropped("fragment"), malformed = dropped("malformed");
  auto fragment = datagram(server.local(), "fragment");
  fragment[2] = std::byte{1};
  association.socket.send(fragment, association.relay);
  association.socket.send(hex("0000"), association.relay);
  association.send(server.local(), "whole");
  EXPECT_EQ(text_of(server.receive()), "whole");
  EXPECT_EQ(dropped("fragment"), fragments + 1);
  EXPECT_EQ(dropped("malformed"), malformed + 1);
}

TEST(GatewayUdp, OnlyTheFirstSenderIsTheClient) {
  GatewayWorld world;
  Association association{world};
  UdpPeer server{net::loopback_v4()}, other{net::loopback_v4()};
  const auto before = dropped("source");
  association.send(server.local(), "mine");
  EXPECT_EQ(text_of(server.receive()), "mine");
  other.send(datagram(server.local(), "not mine"), association.relay);
  association.send(server.local(), "mine again");
  EXPECT_EQ(text_of(server.receive()), "mine again");
  EXPECT_EQ(dropped("source"), before + 1);
}

TEST(GatewayUdp, AnnouncedPortIsThePort) {
  GatewayWorld world;
  UdpPeer announced{net::loopback_v4()};
  const auto port = announced.local().port;
  Association association{world,
                          "05030001"
                          "00000000" +
                              to_hex(ByteArray<2>{std::byte(port >> 8), std::byte(port & 0xff)})};
  UdpPeer server{net::loopback_v4()};
  association.send(server.local(), "from another port");
  announced.send(datagram(server.local(), "announced"), association.relay);
  EXPECT_EQ(text_of(server.receive()), "announced");
}

TEST(GatewayUdp, NamesAreResolved) {
  GatewayWorld world;
  Association association{world};
  UdpPeer server{net::loopback_v4()};
  association.socket.send(datagram(Target{*DomainName::parse("localhost"), server.local().port}, "by name"),
                          association.relay);
  EXPECT_EQ(text_of(server.receive()), "by name");
}

TEST(GatewayUdp, DatagramsThatWaitForNamesAreBounded) {
  UdpPeer silent{net::loopback_v4()};
  net::ResolverOptions resolver;
  resolver.servers = {silent.local()};
  resolver.hosts_file.clear();
  GatewayWorld world{default_options(), net::loopback_v4(), resolver};
  Association association{world};
  const auto before = dropped("names_full");
  const Target slow{*DomainName::parse("slow.example"), 9};
  const auto send = [&](std::size_t bytes) {
    association.socket.send(datagram(slow, std::string(bytes, 'x')), association.relay);
  };
  for (int i = 0; i < 40; ++i) send(1);
  EXPECT_TRUE(world.settle([&](const auto&) { return dropped("names_full") == before + 8; }));
  Association large{world};
  for (int i = 0; i < 4; ++i) large.socket.send(datagram(slow, std::string(30'000, 'x')), large.relay);
  EXPECT_TRUE(world.settle([&](const auto&) { return dropped("names_full") == before + 10; }));
}

TEST(GatewayUdp, BothFamiliesFromOneAssociation) {
  GatewayWorld world{default_options(), net::loopback_v6()};
  Association association{world};
  ASSERT_EQ(association.reply, 0);
  UdpPeer six{net::loopback_v6()}, four{net::loopback_v4()};
  association.send(six.local(), "6");
  const auto from_six = six.receive();
  EXPECT_EQ(text_of(from_six), "6");
  six.send(as_bytes("six"), from_six.second);
  EXPECT_EQ(association.receive(), net::to_text(six.local()) + " six");
  association.send(four.local(), "4");
  const auto from_four = four.receive();
  four.send(as_bytes("four"), from_four.second);
  EXPECT_EQ(association.receive(), net::to_text(four.local()) + " four");
}

TEST(GatewayUdp, EndsWithTheTcpConnection) {
  GatewayWorld world;
  Association association{world};
  ASSERT_EQ(association.reply, 0);
  association.control.close();
  EXPECT_TRUE(world.settle([](const auto& status) { return status.udp_associations == 0; }));
  EXPECT_EQ(world.status().connections, 0U);
}

TEST(GatewayUdp, ManyDatagramsPass) {
  GatewayWorld world;
  Association association{world};
  UdpPeer server{net::loopback_v4()};
  for (int i = 0; i < 500; ++i) {
    association.send(server.local(), std::to_string(i));
    const auto got = server.receive();
    ASSERT_EQ(text_of(got), std::to_string(i));
    server.send(got.first, got.second);
    ASSERT_EQ(association.receive(), net::to_text(server.local()) + " " + std::to_string(i));
  }
}

// ---------------------------------------------------------------- refusals

GatewayRoute udp_to(std::string outbound) {
  GatewayRoute route;
  route.network = Network::udp;
  route.outbound = std::move(outbound);
  return route;
}

TEST(GatewayUdp, RoutesDecideWhetherThereIsAny) {
  auto routed = default_options();
  routed.routes = {udp_to("block")};
  GatewayWorld world{routed};
  EXPECT_EQ(Association{world}.reply, 2);
  routed.routes.clear();
  routed.inbounds[0].udp = false;
  world.reload(routed);
  EXPECT_EQ(Association{world}.reply, 7);
  EXPECT_TRUE(world.settle([](const auto& status) { return status.udp_associations == 0; }));
}

TEST(GatewayUdp, EachDatagramTakesItsRoute) {
  auto options = by_default("far");
  auto direct = udp_to("direct"), block = udp_to("block");
  direct.ranges = {{hex("7f000000"), 8}};
  block.ports = {{25, 25}};
  options.routes = {block, direct};
  GatewayWorld world{options};
  world.tunnel(Target{Ipv4Address{}, 9});
  Association association{world};
  ASSERT_EQ(association.reply, 0);
  UdpPeer server{net::loopback_v4()};
  const auto before = dropped("outbound");
  association.send(*net::parse_endpoint("192.0.2.1:25"), "blocked");
  association.send(*net::parse_endpoint("192.0.2.1:9"), "by the tunnel");
  EXPECT_EQ(association.receive(), "192.0.2.1:9 far by the tunnel");
  association.send(server.local(), "direct");
  EXPECT_EQ(text_of(server.receive()), "direct");
  const Target named{*DomainName::parse("far.example"), 53};
  association.socket.send(datagram(named, "named"), association.relay);
  EXPECT_EQ(association.receive(), "far.example:53 far named");
  EXPECT_EQ(dropped("outbound"), before + 1);
}

TEST(GatewayUdp, WhatATunnelDoesNotTakeIsDropped) {
  GatewayWorld world{by_default("far")};
  world.tunnel(Target{Ipv4Address{}, 9});
  Association association{world};
  const auto before = dropped("tunnel");
  association.send(*net::parse_endpoint("192.0.2.1:9"), "opens it");
  EXPECT_EQ(association.receive(), "192.0.2.1:9 far opens it");
  association.send(*net::parse_endpoint("192.0.2.1:9"), std::string(10'000, 'x'));
  EXPECT_TRUE(world.settle([&](const auto&) { return dropped("tunnel") == before + 1; }));
  world.reload(by_default("gone"));
  Association nobody{world};
  nobody.send(*net::parse_endpoint("192.0.2.1:9"), "no such peer");
  EXPECT_TRUE(world.settle([&](const auto&) { return dropped("tunnel") == before + 2; }));
}

TEST(GatewayUdp, DatagramsThatWaitForATunnelAreBounded) {
  GatewayWorld world{by_default("far")};
  world.silent_tunnel();
  Association association{world};
  const auto before = dropped("tunnel_full");
  for (int i = 0; i < 40; ++i) association.send(*net::parse_endpoint("192.0.2.1:9"), "x");
  EXPECT_TRUE(world.settle([&](const auto&) { return dropped("tunnel_full") == before + 8; }));
}

TEST(GatewayUdp, AssociationsAreLimited) {
  auto options = default_options();
  options.udp_associations_max = 1;
  GatewayWorld world{options};
  const auto before = refused("associations_full");
  Association first{world};
  EXPECT_EQ(first.reply, 0);
  EXPECT_EQ(Association{world}.reply, 1);
  EXPECT_EQ(refused("associations_full"), before + 1);
  first.control.close();
  EXPECT_TRUE(world.settle([](const auto& status) { return status.udp_associations == 0; }));
  EXPECT_EQ(Association{world}.reply, 0);
}

TEST(GatewayUdp, DrainEndsAssociations) {
  GatewayWorld world;
  Association association{world};
  ASSERT_EQ(association.reply, 0);
  world.drain(net::after(world.core(), 10ms));
  EXPECT_EQ(world.status().udp_associations, 0U);
}

}  // namespace
}  // namespace village::service::test
