// UDP through the tunnel: a stream for each association, its datagrams beside it, real sockets at the exit.
#include <gtest/gtest.h>

#include "blocking_client.hpp"
#include "tunnel_world.hpp"
#include "village/htx/frame.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using service::Outer;
using service::test::UdpPeer;

constexpr auto dropped_total = "villaged_htx_datagrams_dropped_total";

/// Path is an association of the entry, with what came back.
struct Path {
  Path(TunnelWorld& in, Node& from) : world{in}, entry{from} {
    error = world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<std::optional<Error>> {
      net::DatagramPath::Receive receive = [this](const Target& source, ByteView data) {
        received.emplace_back(to_text(source), to_bytes(data));
      };
      auto opened =
          co_await entry.tunnel->dialer("exit")->associate(std::move(receive), net::after(core, 20s));
      if (!opened) co_return opened.error();
      path = std::move(*opened);
      co_return std::nullopt;
    });
  }
  ~Path() { close(); }
  void close() {
    world.run(clients, [&](net::Core&) -> asio_void {
      path.reset();
      co_return;
    });
  }
  Errc send(const Target& target, ByteView data) {
    return world.run(clients, [&](net::Core&) -> boost::asio::awaitable<Errc> {
      co_return code_of(path->send(target, data));
    });
  }
  bool wait_for(std::size_t count) {
    return world.until(clients, [&] { return received.size() >= count; });
  }
  /// round_trip sends to `peer`, which sends it back.
  bool round_trip(UdpPeer& peer, const Target& target, ByteView data) {
    const auto before = received.size();
    if (send(target, data) != Errc{}) return false;
    const auto [bytes, from] = peer.receive();
    if (!std::equal(bytes.begin(), bytes.end(), data.begin(), data.end())) return false;
    peer.send(bytes, from);
    if (!wait_for(before + 1)) return false;
    const auto& [source, back] = received.back();
    return source == net::to_text(peer.local()) &&
           std::equal(back.begin(), back.end(), data.begin(), data.end());
  }
  TunnelWorld& world;
  Node& entry;
  net::DatagramPathPtr path;
  std::optional<Error> error;
  std::vector<std::pair<std::string, Bytes>> received;  // of the clients' core
};

std::int64_t associations() { return metric("villaged_htx_udp_associations"); }
bool settles_at(TunnelWorld& world, std::int64_t count) {
  return world.until(servers, [count] { return associations() == count; });
}

class TunnelUdpOver : public testing::TestWithParam<Outer> {};

TEST_P(TunnelUdpOver, CarriesBothFamiliesAndNames) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(GetParam());
  Path path{world, entry};
  ASSERT_FALSE(path.error);
  UdpPeer four{net::loopback_v4()}, six{net::loopback_v6()};
  const auto target = net::to_target(four.local());
  for (const std::size_t size : {0U, 1U, 1'200U, 9'000U, 60'000U})
    EXPECT_TRUE(path.round_trip(four, target, pattern(size, size))) << size;
  EXPECT_TRUE(path.round_trip(six, net::to_target(six.local()), as_bytes("six")));
  const Target named{*DomainName::parse("localhost"), four.local().port};
  EXPECT_TRUE(path.round_trip(four, named, as_bytes("by name")));
}
INSTANTIATE_TEST_SUITE_P(Outers, TunnelUdpOver, testing::Values(Outer::none, Outer::tls),
                         [](const auto& of) { return of.param == Outer::tls ? "tls" : "none"; });

TEST(TunnelUdp, IsAFullCone) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  Path path{world, entry};
  UdpPeer server{net::loopback_v4()}, stranger{net::loopback_v4()};
  path.send(net::to_target(server.local()), as_bytes("x"));
  const auto seen = server.receive().second;
  stranger.send(as_bytes("hello"), seen);
  ASSERT_TRUE(path.wait_for(1));
  EXPECT_EQ(path.received[0].first, net::to_text(stranger.local()));
}

TEST(TunnelUdp, TooLongDatagramsAreRefusedAndWhatTheKernelCannotSendIsDropped) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  Path path{world, entry};
  UdpPeer server{net::loopback_v4()};
  const auto target = net::to_target(server.local());
  EXPECT_EQ(path.send(target, Bytes(htx::datagram_bytes_max)), Errc::limit_exceeded);  // with its address
  EXPECT_EQ(path.send(target, Bytes(65'508)), Errc::limit_exceeded);
  EXPECT_EQ(path.send(target, Bytes(65'502)), Errc{});  // fits HTX; UDP over IPv4 takes 65,507
  EXPECT_EQ(server.receive().first.size(), 65'502U);
}

TEST(TunnelUdp, ADatagramWithNowhereToGoTakesNoOtherWithIt) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  Path path{world, entry};
  ASSERT_FALSE(path.error);
  UdpPeer peer{net::loopback_v4()};
  ASSERT_TRUE(path.round_trip(peer, net::to_target(peer.local()), as_bytes("warm")));
  const auto all = std::byte{255};
  const Target nowhere{Ipv4Address{all, all, all, all}, 9};  // a broadcast, which the socket may not send
  world.run(clients, [&](net::Core&) -> asio_void {          // one batch
    for (const auto* text : {"one", "two"}) {
      EXPECT_TRUE(path.path->send(nowhere, as_bytes(std::string_view{"lost"})));
      EXPECT_TRUE(path.path->send(net::to_target(peer.local()), as_bytes(std::string_view{text})));
    }
    co_return;
  });
  for (const auto* text : {"one", "two"}) {
    const auto [bytes, from] = peer.receive();
    EXPECT_EQ(as_text(bytes), text);
  }
}

TEST(TunnelUdp, ManyAssociationsKeepApart) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  const auto before = associations();
  std::list<Path> paths;
  UdpPeer server{net::loopback_v4()};
  for (int i = 0; i < 40; ++i) ASSERT_FALSE(paths.emplace_back(world, entry).error);
  EXPECT_TRUE(settles_at(world, before + 40));
  for (int round = 0; round < 5; ++round) {
    int number = 0;
    for (auto& path : paths) {
      const auto text = std::to_string(round) + "/" + std::to_string(number++);
      ASSERT_TRUE(path.round_trip(server, net::to_target(server.local()), as_bytes(text)));
    }
  }
  for (auto& path : paths) EXPECT_EQ(path.received.size(), 5U);
  paths.clear();
  EXPECT_TRUE(settles_at(world, before)) << "each ends with its stream";
}

TEST(TunnelUdp, PrivateAddressesAreJudgedWhereTheDatagramLeaves) {
  TunnelWorld world;
  auto [entry, exit] =
      world.pair(Outer::none, [](Node&, Node& at) { at.options->exit.allow_private = false; });
  Path path{world, entry};
  ASSERT_FALSE(path.error);
  const auto before = metric(dropped_total, "reason=\"denied\"");
  UdpPeer server{net::loopback_v4()};
  const auto port = server.local().port;
  path.send(net::to_target(server.local()), as_bytes("literal"));
  path.send(Target{*DomainName::parse("localhost"), port}, as_bytes("by name"));
  const auto mapped = *net::parse_endpoint("[::ffff:127.0.0.1]:" + std::to_string(port));
  path.send(Target{std::get<Ipv6Address>(mapped.ip), port}, as_bytes("mapped"));
  EXPECT_TRUE(world.until(servers, [&] { return metric(dropped_total, "reason=\"denied\"") == before + 3; }));
}

TEST(TunnelUdp, PeersThatMayNotExitGetNone) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node&, Node& at) { at.options->exit.enabled = false; });
  Path path{world, entry};
  ASSERT_TRUE(path.error);
  EXPECT_EQ(path.error->code, Errc::denied);
}

TEST(TunnelUdp, AssociationsAreLimited) {
  TunnelWorld world;
  auto [entry, exit] =
      world.pair(Outer::none, [](Node&, Node& at) { at.options->exit.udp_associations_max = 2; });
  auto first = std::make_unique<Path>(world, entry);
  const auto before = associations();
  Path second{world, entry};
  ASSERT_FALSE(second.error);
  EXPECT_TRUE(Path(world, entry).error);
  first.reset();
  EXPECT_TRUE(settles_at(world, before));
  EXPECT_FALSE(Path(world, entry).error);
}

TEST(TunnelUdp, OnePeerLeavesPlacesToOthers) {
  TunnelWorld world;
  Node* other = nullptr;
  auto [entry, exit] = world.pair(Outer::none, [&](Node&, Node& at) {
    at.options->exit.udp_associations_max = 6;
    at.options->exit.udp_associations_share_max = 3;
    other = &world.node("other", clients);
    world.knows(at, *other, true);
    world.knows(*other, at, false);
  });
  world.start(*other);
  const auto before = associations();
  std::list<Path> greedy, modest;
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(greedy.emplace_back(world, entry).error) << i;
  EXPECT_TRUE(Path(world, entry).error);
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(modest.emplace_back(world, *other).error) << i;
  UdpPeer server{net::loopback_v4()};
  EXPECT_TRUE(modest.back().round_trip(server, net::to_target(server.local()), as_bytes("mine")));
  greedy.pop_back();  // gives its place back, to its peer as to all
  EXPECT_TRUE(settles_at(world, before + 5));
  EXPECT_FALSE(Path(world, entry).error);
}

TEST(ExitOptions, TheLastQuarterOfUdpPlacesIsNeverOnePeers) {
  service::ExitOptions options;
  options.udp_associations_share_max = 1'000;
  const auto share_of = [&](std::uint32_t all) {
    options.udp_associations_max = all;
    return options.udp_share();
  };
  EXPECT_EQ(share_of(0), 0U);
  EXPECT_EQ(share_of(1), 1U);
  EXPECT_EQ(share_of(4), 3U);
  EXPECT_EQ(share_of(1'000), 750U);
  EXPECT_EQ(share_of(100'000), 1'000U);
}

TEST(TunnelUdp, PathEndsWithItsSession) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  Path path{world, entry};
  const auto ended = world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<bool> {
    net::Nursery tasks{core};
    bool done = false;
    tasks.spawn([&]() -> asio_void {
      (void)co_await path.path->wait_end();
      done = true;
    });
    (void)co_await path.entry.tunnel->drain(core.clock().now());
    co_await tasks.join();
    co_return done;
  });
  EXPECT_TRUE(ended);
  EXPECT_EQ(path.send(Target{Ipv4Address{}, 9}, as_bytes("x")), Errc::closed);
}

TEST(TunnelUdp, GarbageInDatagramsIsCounted) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  Path path{world, entry};
  const auto before = metric(dropped_total, "reason=\"malformed\"");
  path.send(Target{Ipv4Address{}, 0}, as_bytes("port 0"));
  EXPECT_TRUE(
      world.until(servers, [&] { return metric(dropped_total, "reason=\"malformed\"") == before + 1; }));
}

}  // namespace
}  // namespace village::test
