// The gateway as SOCKS clients see it, over real sockets on loopback.
#include <algorithm>

#include "gateway_world.hpp"
#include "support/vectors.hpp"
#include "village/proxy/socks5.hpp"

namespace village::service::test {
namespace {

using village::test::hex;

std::string connect_request(const Target& target) {
  ByteArray<300> memory;
  wire::Writer writer{memory};
  writer.bytes(hex("050100"));
  wire::write_target(writer, target);
  return std::string{as_text(writer.written())};
}
std::string connect_request(const net::Endpoint& endpoint) {
  return connect_request(net::to_target(endpoint));
}
std::string greeting() { return std::string{"\x05\x01\x00", 3}; }

/// open does greeting and request one after the other; the REP byte, or -1.
int open(Client& client, const Target& target) {
  client.send(greeting());
  if (client.receive_hex(2) != "0500") return -1;
  client.send(connect_request(target));
  const auto head = client.receive(4);
  if (head.size() < 4) return -1;
  client.receive(head[3] == 4 ? 18 : 6);
  return static_cast<unsigned char>(head[1]);
}
int open(Client& client, const net::Endpoint& endpoint) { return open(client, net::to_target(endpoint)); }

TEST(GatewaySocks5, CarriesBytesBothWaysAndHalfCloses) {
  GatewayWorld world;
  const auto server = world.serve(echo);
  auto client = world.client();
  ASSERT_EQ(open(client, server), 0);
  const std::string text(300'000, 'x');
  client.send(text.substr(0, 100'000));
  EXPECT_EQ(client.receive(100'000), text.substr(0, 100'000));
  client.send("last");
  client.finish();
  EXPECT_EQ(client.receive_to_end(), "last");
  EXPECT_TRUE(client.orderly());
  EXPECT_TRUE(world.settle([](const auto& status) { return status.connections == 0; }));
}

TEST(GatewaySocks5, ServerMayFinishFirst) {
  GatewayWorld world;
  std::atomic<std::size_t> received{0};
  const auto server = world.serve([&received](net::Core&, net::Accepted accepted) -> asio::awaitable<void> {
    (void)co_await accepted.stream->write_all(as_bytes("hello"));
    (void)co_await accepted.stream->shutdown_write();
    ByteArray<64> buffer;
    for (;;) {
      const auto read = co_await accepted.stream->read_some(buffer);
      if (!read || *read == 0) break;
      received += *read;
    }
  });
  auto client = world.client();
  ASSERT_EQ(open(client, server), 0);
  EXPECT_EQ(client.receive_to_end(), "hello");
  client.send("still here");
  client.finish();
  EXPECT_TRUE(world.settle([&received](const auto&) { return received == 10; }));
}

TEST(GatewaySocks5, KeepsWhatAnOptimisticClientSends) {
  GatewayWorld world;
  const auto server = world.serve(echo);
  auto client = world.client();
  client.send(greeting() + connect_request(server) + "early");
  EXPECT_EQ(client.receive_hex(2), "0500");
  EXPECT_EQ(client.receive_hex(4), "05000001");
  client.receive(6);
  client.send(" and late");
  client.finish();
  EXPECT_EQ(client.receive_to_end(), "early and late");
}

TEST(GatewaySocks5, HandshakeMayComeByteByByte) {
  GatewayWorld world;
  const auto server = world.serve(echo);
  auto client = world.client();
  for (const char c : greeting() + connect_request(server) + "x") client.send({&c, 1});
  client.finish();
  EXPECT_TRUE(client.receive_to_end().ends_with("x"));
}

TEST(GatewaySocks5, ReplyNamesTheLocalAddress) {
  GatewayWorld world;
  std::atomic<std::uint16_t> seen_port{0};
  const auto server = world.serve([&seen_port](net::Core&, net::Accepted accepted) -> asio::awaitable<void> {
    seen_port = accepted.peer->port;
    (void)co_await accepted.stream->write_all(as_bytes("x"));
  });
  auto client = world.client();
  client.send(greeting() + connect_request(server));
  EXPECT_EQ(client.receive_hex(2 + 8),
            "0500"
            "050000017f000001");
  const auto port = client.receive(2);
  EXPECT_EQ(client.receive(1), "x");
  EXPECT_EQ(to_hex(as_bytes(port)),
            to_hex(ByteArray<2>{std::byte(seen_port >> 8), std::byte(seen_port & 0xff)}));
}

TEST(GatewaySocks5, Ipv6InAndOut) {
  GatewayWorld world{default_options(), net::loopback_v6()};
  const auto server = world.serve(echo, net::loopback_v6());
  auto client = world.client();
  ASSERT_EQ(open(client, server), 0);
  client.send("six");
  client.finish();
  EXPECT_EQ(client.receive_to_end(), "six");
}

TEST(GatewaySocks5, ResolvesNamesForDirect) {
  GatewayWorld world;
  const auto server = world.serve(echo);
  auto client = world.client();
  ASSERT_EQ(open(client, Target{*DomainName::parse("localhost"), server.port}), 0);
  client.send("name");
  client.finish();
  EXPECT_EQ(client.receive_to_end(), "name");
}

TEST(GatewaySocks5, UsersComeInWithTheirPassword) {
  GatewayWorld world{with_users()};
  const auto server = world.serve(echo);
  auto client = world.client();
  client.send(hex("05020002"));
  EXPECT_EQ(client.receive_hex(2), "0502");
  client.send(hex("0103626f620470617373"));
  EXPECT_EQ(client.receive_hex(2), "0100");
  client.send(connect_request(server) + "hi");
  EXPECT_EQ(client.receive_hex(4), "05000001");
  client.receive(6);
  EXPECT_EQ(client.receive(2), "hi");
}

TEST(GatewaySocks5, WrongPasswordAndNoPasswordStayOut) {
  GatewayWorld world{with_users()};
  const auto before = refused("auth_failed");
  auto wrong = world.client();
  wrong.send(
      hex("050102"
          "0103626f620470617374"
          "050100017f0000010050"));
  EXPECT_EQ(to_hex(as_bytes(wrong.receive_to_end())), "05020101");
  EXPECT_TRUE(wrong.orderly());
  wrong.finish();
  auto none = world.client();
  none.send(greeting());
  EXPECT_EQ(to_hex(as_bytes(none.receive_to_end())), "05ff");
  EXPECT_EQ(refused("auth_failed"), before + 2);
}

TEST(GatewaySocks5, RefusedTargetGetsReplyFiveAndTheEnd) {
  GatewayWorld world;
  const ClosedPort nobody;
  const auto before = refused("target_refused");
  auto client = world.client();
  client.send(greeting() + connect_request(nobody.local()) + "early data that nobody will read");
  EXPECT_EQ(to_hex(as_bytes(client.receive_to_end())),
            "0500"
            "05050001000000000000");
  EXPECT_TRUE(client.orderly());
  EXPECT_EQ(refused("target_refused"), before + 1);
}

TEST(GatewaySocks5, BlockedTargetGetsReplyTwo) {
  auto options = default_options();
  GatewayRoute route;
  route.domain_suffixes = {"Blocked.example"};
  route.outbound = "block";
  options.routes = {route};
  GatewayWorld world{options};
  const auto before = refused("blocked");
  auto client = world.client();
  EXPECT_EQ(open(client, *parse_target("www.BLOCKED.example:80")), 2);
  EXPECT_EQ(refused("blocked"), before + 1);
}

TEST(GatewaySocks5, AddressWrittenAsANameIsRoutedAsAnAddress) {
  auto options = default_options();
  GatewayRoute route;
  route.ranges = {{hex("0a000000"), 8}};
  route.outbound = "block";
  options.routes = {route};
  GatewayWorld world{options};
  auto client = world.client();
  EXPECT_EQ(open(client, Target{*DomainName::parse("10.9.8.7"), 80}), 2);
}

TEST(GatewaySocks5, UnknownCommandsGetReplySeven) {
  GatewayWorld world;
  auto client = world.client();
  client.send(
      hex("050100"
          "050200017f0000010050"));
  EXPECT_EQ(to_hex(as_bytes(client.receive_to_end())),
            "0500"
            "05070001000000000000");
}

TEST(GatewaySocks5, NamesGoUnresolvedToTheTunnel) {
  GatewayWorld world{by_default("far")};
  const auto server = world.serve(echo);
  world.tunnel(net::to_target(server));
  auto client = world.client();
  ASSERT_EQ(open(client, *parse_target("no.such.name.invalid:7")), 0);
  EXPECT_EQ(world.asked(), "no.such.name.invalid:7");
  client.send("through");
  client.finish();
  EXPECT_EQ(client.receive_to_end(), "through");
}

TEST(GatewaySocks5, MissingPeerAndSilentPeer) {
  auto options = by_default("gone");
  options.dial_timeout = 30ms;
  GatewayWorld world{options};
  auto client = world.client();
  EXPECT_EQ(open(client, *parse_target("a.example:7")), 1);
  options.default_outbound = "far";
  world.reload(options);
  world.silent_tunnel();
  auto other = world.client();
  EXPECT_EQ(open(other, *parse_target("a.example:7")), 4);
}

TEST(GatewaySocks4, ConnectsByAddressAndByName) {
  GatewayWorld world;
  const auto server = world.serve(echo);
  const ByteArray<2> port{std::byte(server.port >> 8), std::byte(server.port & 0xff)};
  for (const auto* tail : {"7f00000100",
                           "00000001"
                           "6d6500"
                           "6c6f63616c686f737400"}) {
    auto client = world.client();
    client.send(hex("0401" + to_hex(port) + tail));
    EXPECT_EQ(client.receive_hex(8), "005a000000000000") << tail;
    client.send("four");
    client.finish();
    EXPECT_EQ(client.receive_to_end(), "four");
  }
}

TEST(GatewaySocks4, StaysOutWherePasswordsAreWanted) {
  GatewayWorld world{with_users()};
  auto client = world.client();
  client.send(hex("040100507f00000100"));
  EXPECT_EQ(to_hex(as_bytes(client.receive_to_end())), "005b000000000000");
}

// ---------------------------------------------------------------- time and limits

TEST(GatewayTime, SlowHandshakesAreCutOff) {
  auto options = default_options();
  options.handshake_timeout = 50ms;
  GatewayWorld world{options};
  const auto before = refused("handshake_timeout");
  for (const std::string_view begun :
       {"", "\x05", "\x05\x01", "\x04\x01", "GET http://a/ HTTP/1.1\r\nHost:"}) {
    auto client = world.client();
    client.send(begun);
    EXPECT_EQ(client.receive_to_end(), "");
    EXPECT_TRUE(client.orderly());
  }
  EXPECT_EQ(refused("handshake_timeout"), before + 5);
}

TEST(GatewayTime, IdleRelaysEnd) {
  auto options = default_options();
  options.idle_timeout = 50ms;
  GatewayWorld world{options};
  const auto server = world.serve(echo);
  auto client = world.client();
  ASSERT_EQ(open(client, server), 0);
  EXPECT_EQ(client.receive_to_end(), "");
  EXPECT_TRUE(world.settle([](const auto& status) { return status.connections == 0; }));
}

TEST(GatewayTime, ZeroIdleTimeMeansNever) {
  auto options = default_options();
  options.idle_timeout = 0s;
  GatewayWorld world{options};
  const auto server = world.serve(echo);
  auto client = world.client();
  client.send(greeting() + connect_request(server) + "early");
  client.receive(12);
  EXPECT_EQ(client.receive(5), "early");
  auto http = world.client();
  http.send("GET http://" + net::to_text(server) + "/ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(
      http.receive_to_end().starts_with("HTTP/1.1 502"));  // the echo is no answer, and that was noticed
}

TEST(GatewayLimits, ConnectionsAboveTheMaximumAreClosed) {
  auto options = default_options();
  options.connections_max = 1;
  GatewayWorld world{options};
  const auto server = world.serve(echo);
  const auto before = refused("connections_full");
  auto first = world.client();
  ASSERT_EQ(open(first, server), 0);
  auto second = world.client();
  EXPECT_EQ(second.receive_to_end(), "");
  EXPECT_EQ(refused("connections_full"), before + 1);
  first.close();
  EXPECT_TRUE(world.settle([](const auto& status) { return status.connections == 0; }));
  auto third = world.client();
  EXPECT_EQ(open(third, server), 0);
}

TEST(Gateway, DrainLetsConnectionsFinishAndThenCutsThem) {
  GatewayWorld world;
  const auto server = world.serve(echo);
  auto client = world.client();
  ASSERT_EQ(open(client, server), 0);
  client.send("a");
  EXPECT_EQ(client.receive(1), "a");
  world.drain(net::after(world.core(), 20ms));
  EXPECT_EQ(world.status().connections, 0U);
  EXPECT_EQ(client.receive_to_end(), "");
  EXPECT_FALSE(world.client().connected());
}

TEST(Gateway, ReloadAppliesToNewConnectionsOnly) {
  GatewayWorld world;
  const auto server = world.serve(echo);
  auto before = world.client();
  ASSERT_EQ(open(before, server), 0);
  world.reload(by_default("block"));
  auto after = world.client();
  EXPECT_EQ(open(after, server), 2);
  before.send("on");
  EXPECT_EQ(before.receive(2), "on");
  auto broken = by_default("nowhere");
  world.reload(broken);  // refused: what was in force stays
  auto still = world.client();
  EXPECT_EQ(open(still, server), 2);
}

TEST(Gateway, CheckRefusesOptionsThatCannotWork) {
  EXPECT_TRUE(Gateway::check(default_options()));
  EXPECT_FALSE(Gateway::check(by_default("nowhere")));
  auto options = default_options();
  GatewayRoute route;
  route.outbound = "direct";
  options.routes = {route, route};
  options.routes[1].ranges = {{hex("0a0000"), 8}};
  const auto checked = Gateway::check(options);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().detail, 1U);
  options.routes[1].ranges.clear();
  options.routes[1].outbound = "nowhere";
  EXPECT_EQ(Gateway::check(options).error().code, Errc::not_found);
}

TEST(Gateway, ManyClientsAtOnceAndNothingIsLeft) {
  GatewayWorld world;
  const auto server = world.serve(echo);
  for (int round = 0; round < 5; ++round) {
    std::vector<Client> clients;
    for (int i = 0; i < 100; ++i) {
      clients.push_back(world.client());
      clients.back().send(greeting() + connect_request(server) + std::to_string(i));
    }
    for (int i = 0; i < 100; ++i) {
      auto& client = clients[static_cast<std::size_t>(i)];
      client.finish();
      EXPECT_TRUE(client.receive_to_end().ends_with(std::to_string(i)));
    }
  }
  EXPECT_TRUE(world.settle([](const auto& status) { return status.connections == 0; }));
}

}  // namespace
}  // namespace village::service::test
