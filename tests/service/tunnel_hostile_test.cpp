// The tunnel against peers that break rules, networks that damage and cut, and crowds.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>

#include "service/tunnel_link.hpp"
#include "service/tunnel_way_in.hpp"
#include "tunnel_world.hpp"
#include "village/net/system.hpp"
#include "village/service/tunnel.hpp"
#include "village/wire/socks_address.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using service::Outer;
using service::TunnelLink;

std::int64_t refused(std::string_view reason) {
  return metric("villaged_htx_handshakes_total", "direction=\"in\",result=\"" + std::string{reason} + "\"");
}

// The peer may see the end before the server's core has counted it.
std::int64_t newly_refused(TunnelWorld& world, std::string_view reason, std::int64_t before) {
  (void)world.until(servers, [&] { return refused(reason) > before; });
  return refused(reason) - before;
}

// A client that says what it likes: the way in and a link, without a tunnel around them. Runs on the clients'
// core.
struct RawPeer {
  RawPeer(TunnelWorld& world, Node& node) : core{world.runtime().core(clients)}, dialer{core}, tasks{core} {
    peer = node.options->peers.front();
    identity = node.identity;
  }
  net::Task<service::WayIn> enter() {
    auto entered =
        co_await service::enter_as_client(core, dialer, nullptr, identity, peer, net::after(core, 10s));
    co_return entered;
  }
  net::Task<void> connect() {
    auto entered = co_await enter();
    if (!entered) co_return entered.error();
    service::LinkFacts facts{peer.name, peer.key, false, Outer::none, entered->keys.suite};
    link = std::make_shared<TunnelLink>(core, std::move(entered->stream), std::move(entered->keys),
                                        htx::Settings{}, std::move(facts));
    tasks.spawn([this, early = std::move(entered->early)]() mutable { return run(std::move(early)); });
    co_return ok();
  }
  asio_void run(Bytes early) {
    TunnelLink::Hooks hooks;
    (void)co_await link->run(std::move(early), std::move(hooks));
  }
  asio_void end() {
    tasks.cancel();
    co_await tasks.join();
  }
  net::Task<std::unique_ptr<service::TunnelStream>> open() {
    auto stream = co_await link->open(htx::Priority::interactive, net::after(core, 5s));
    co_return stream;
  }

  net::Core& core;
  net::TcpDialer dialer;
  net::Nursery tasks;
  service::TunnelPeer peer;
  std::shared_ptr<const crypto::Ed25519KeyPair> identity;
  std::shared_ptr<TunnelLink> link;
};

Bytes header_of(const Target& target) {
  Bytes header;
  wire::Writer writer{header, 1 + wire::socks_address_bytes_max};
  writer.u8(static_cast<std::uint8_t>(htx::Service::tcp));
  wire::write_target(writer, target);
  return header;
}

// What the exit says to a stream that begins with `first`: its status, then the reset's code (or -1 for a
// clean FIN).
struct Answer {
  int status = -1;
  int reset = -1;
  friend bool operator==(const Answer&, const Answer&) = default;
};
std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  return out << "status " << answer.status << " reset " << answer.reset;
}

Answer answer_to(const Bytes& first) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  return world.run(clients, [&, &entry = entry](net::Core&) -> boost::asio::awaitable<Answer> {
    Answer answer;
    RawPeer raw{world, entry};
    const auto connected = co_await raw.connect();
    EXPECT_TRUE(connected);
    auto stream = co_await raw.open();
    EXPECT_TRUE(stream);
    if (stream) {
      const auto written = co_await (*stream)->write_all(first);
      EXPECT_TRUE(written);
      const auto status = co_await read_exactly(**stream, 1);
      if (status) answer.status = std::to_integer<int>((*status)[0]);
      // FIN comes first, then the reset; what a read tells depends on which came by then.
      while (!(*stream)->error() && raw.link->usable()) {
        (void)co_await net::sleep_until(raw.core, net::after(raw.core, 1ms));
      }
      if (const auto error = (*stream)->error()) answer.reset = static_cast<int>(error->detail);
      (*stream)->close();
    }
    co_await raw.end();
    co_return answer;
  });
}

TEST(TunnelExit, RefusesUnknownServices) {
  EXPECT_EQ(answer_to({std::byte{6}}), (Answer{7, 10}));
  EXPECT_EQ(answer_to({std::byte{0x80}, std::byte{1}}), (Answer{7, 10}));
}

TEST(TunnelExit, RefusesUnknownAddressTypes) {
  EXPECT_EQ(answer_to({std::byte{1}, std::byte{9}, std::byte{0}}), (Answer{8, 10}));
}

TEST(TunnelExit, RefusesBrokenHeaders) {
  auto header = header_of(Target{Ipv4Address{std::byte{127}, {}, {}, std::byte{1}}, 0});  // port 0
  EXPECT_EQ(answer_to(header), (Answer{1, 7}));
}

TEST(TunnelExit, TakesDataRightBehindTheHeader) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  const auto target = world.echo();
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    RawPeer raw{world, entry};
    const auto connected = co_await raw.connect();
    EXPECT_TRUE(connected);
    auto stream = co_await raw.open();
    EXPECT_TRUE(stream);
    if (stream) {
      auto all = header_of(target);
      const auto data = pattern(100'000, 1);
      all.insert(all.end(), data.begin(), data.end());
      const auto written = co_await (*stream)->write_all(all);
      EXPECT_TRUE(written);
      (void)co_await (*stream)->shutdown_write();
      (*stream)->expect_status();  // the first read takes it
      const auto echoed = co_await read_all(**stream);
      EXPECT_TRUE(echoed && *echoed == data);
      (*stream)->close();
    }
    co_await raw.end();
  });
}

TEST(TunnelExit, TakesAHeaderByteByByte) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  const auto target = world.echo();
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    RawPeer raw{world, entry};
    const auto connected = co_await raw.connect();
    EXPECT_TRUE(connected);
    auto stream = co_await raw.open();
    EXPECT_TRUE(stream);
    if (stream) {
      for (const auto byte : header_of(target)) {
        const auto written = co_await (*stream)->write_all(ByteView{&byte, 1});
        EXPECT_TRUE(written);
        (void)co_await net::sleep_until(core, net::after(core, 1ms));  // a frame each
      }
      const auto status = co_await (*stream)->await_status();
      EXPECT_TRUE(status);
      (*stream)->close();
    }
    co_await raw.end();
  });
}

// --- handshakes

/// SilentTarget is a port whose queue of connections is full: the kernel answers no further one.
class SilentTarget {
 public:
  SilentTarget() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    VG_CHECK(::bind(listener_, raw, size) == 0 && ::listen(listener_, 0) == 0);
    VG_CHECK(::getsockname(listener_, raw, &size) == 0);
    port_ = ntohs(address.sin_port);
    for (int& filler : fillers_) {
      filler = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      (void)::connect(filler, raw, size);
    }
  }
  SilentTarget(const SilentTarget&) = delete;
  SilentTarget& operator=(const SilentTarget&) = delete;
  ~SilentTarget() {
    for (const int filler : fillers_) ::close(filler);
    ::close(listener_);
  }
  Target target() const { return parse_target("127.0.0.1:" + std::to_string(port_)).value(); }

 private:
  int listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
  std::uint16_t port_ = 0;
  std::array<int, 4> fillers_{};
};

TEST(TunnelExit, CountsTheDialsOfStreamsThatWereReset) {
  TunnelWorld world;
  auto [entry, exit] =
      world.pair(Outer::none, [](Node&, Node& at) { at.options->session.peer_streams_max = 4; });
  const SilentTarget silent;
  const auto echo = world.echo();
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(dial_error(world, entry, "exit", silent.target(), 30ms).code, Errc::timed_out);
  }
  // All four streams are reset; their dials go on at the exit, and there is no room beside them.
  EXPECT_NE(dial_error(world, entry, "exit", echo, 5s).code, Errc::internal);
}

TEST(TunnelWayIn, SurvivesABitFlipInEachHandshakeMessage) {
  TunnelWorld world;
  Tamper* relay = nullptr;
  auto [entry, exit] = world.pair(Outer::none, [&](Node& from, Node& at) {
    relay = &world.tamper(at.address);
    from.options->peers.front().address = relay->address;
    at.options->handshake_timeout = 300ms;
  });
  struct Flip {
    Tamper::Way way;
    std::size_t at;
  };
  std::vector<Flip> flips;
  // 'HTX' suite (4), length and message 1 (2 + 48), length and message 3 (2 + 98).
  const std::vector<std::size_t> to_server{0,  2,  3,  4,  5,  6,   20,  37,  38,  53,
                                           54, 55, 56, 87, 88, 103, 104, 120, 138, 153};
  for (const auto at : to_server) flips.push_back({Tamper::Way::to_server, at});
  // Length and message 2 (2 + 48).
  const std::vector<std::size_t> to_client{0, 1, 2, 20, 33, 34, 49};
  for (const auto at : to_client) flips.push_back({Tamper::Way::to_client, at});
  const auto good_before = refused("ok");
  for (const auto& flip : flips) {
    SCOPED_TRACE(flip.at);
    world.run(servers, [&](net::Core&) -> asio_void {
      relay->way = flip.way;
      relay->flip_at = flip.at;
      co_return;
    });
    const auto got =
        world.run(clients, [&, &entry = entry](net::Core&) -> boost::asio::awaitable<std::size_t> {
          RawPeer raw{world, entry};
          auto entered = co_await raw.enter();
          std::size_t bytes = 0;
          if (entered) {  // the last message was damaged: the responder hangs up without a byte
            ByteArray<64> buffer;
            bytes = entered->early.size();
            const auto read = co_await entered->stream->read_some(buffer);
            if (read) bytes += *read;
          }
          co_return bytes;
        });
    EXPECT_EQ(got, 0U);
  }
  EXPECT_EQ(refused("ok"), good_before);
  world.run(servers, [&](net::Core&) -> asio_void {
    relay->way = Tamper::Way::none;
    co_return;
  });
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", world.closed_port());
    EXPECT_EQ(code_of(stream), Errc::refused);  // the exit answers: the session is up
  });
}

// Sends `bytes` one at a time until the other side hangs up.
asio_void trickle(net::Core& core, net::Stream& stream, Bytes bytes) {
  for (const auto byte : bytes) {
    const auto written = co_await stream.write_all(ByteView{&byte, 1});
    if (!written) co_return;
    const auto slept = co_await net::sleep_until(core, net::after(core, 10ms));
    if (!slept) co_return;
  }
}

void expect_trickler_cut(Outer outer, Bytes first) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(outer, [](Node&, Node& at) { at.options->handshake_timeout = 100ms; });
  const auto before = refused("timed_out");
  world.run(clients, [&, &exit = exit](net::Core& core) -> asio_void {
    net::TcpDialer dialer{core};
    auto stream = co_await dialer.dial(exit.address, net::after(core, 5s));
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    net::Nursery writer{core};
    writer.spawn([&] { return trickle(core, **stream, first); });
    ByteArray<64> buffer;
    auto end = co_await net::with_deadline(core, (*stream)->read_some(buffer), net::after(core, 5s));
    EXPECT_NE(code_of(end), Errc::timed_out);
    EXPECT_FALSE(end && *end != 0);
    writer.cancel();
    co_await writer.join();
  });
  EXPECT_EQ(newly_refused(world, "timed_out", before), 1);
}

TEST(TunnelWayIn, CutsAPeerThatTricklesNoise) {
  Bytes first{std::byte{'H'}, std::byte{'T'}, std::byte{'X'}, std::byte{5}, std::byte{0x04}, std::byte{0xE0}};
  first.resize(54, std::byte{1});  // complete only long after the time is up
  expect_trickler_cut(Outer::none, first);
}

TEST(TunnelWayIn, CutsAPeerThatTricklesTls) {
  Bytes first{std::byte{22}, std::byte{3}, std::byte{1}, std::byte{2}, std::byte{0}};
  first.resize(500, std::byte{1});
  expect_trickler_cut(Outer::tls, first);
}

TEST(TunnelWayIn, HasRoomForSoManyHandshakes) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node&, Node& at) {
    at.options->handshakes_max = 2;
    at.options->handshake_timeout = 30s;
  });
  const auto before = refused("handshakes_full");
  world.run(clients, [&, &entry = entry, &exit = exit](net::Core& core) -> asio_void {
    net::TcpDialer dialer{core};
    std::vector<net::StreamPtr> silent;
    for (int i = 0; i < 2; ++i) {
      auto stream = co_await dialer.dial(exit.address, net::after(core, 5s));
      EXPECT_TRUE(stream);
      if (stream) silent.push_back(std::move(*stream));
    }
    auto third = co_await dialer.dial(exit.address, net::after(core, 5s));
    EXPECT_TRUE(third);
    if (!third) co_return;
    ByteArray<8> buffer;
    auto end = co_await net::with_deadline(core, (*third)->read_some(buffer), net::after(core, 5s));
    EXPECT_FALSE(end && *end != 0);
    EXPECT_NE(code_of(end), Errc::timed_out);
    silent.clear();  // places are free again
    auto stream = co_await world.dial(entry, "exit", world.closed_port());
    EXPECT_EQ(code_of(stream), Errc::refused);
  });
  EXPECT_GE(newly_refused(world, "handshakes_full", before), 1);
}

TEST(TunnelWayIn, HasRoomForSoManySessions) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node&, Node& at) { at.options->inbound_sessions_max = 2; });
  const auto before = refused("sessions_full");
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    std::list<RawPeer> peers;
    for (int i = 0; i < 3; ++i) {
      auto& raw = peers.emplace_back(world, entry);
      const auto connected = co_await raw.connect();
      EXPECT_EQ(bool{connected}, i < 2);
    }
    for (auto& raw : peers) co_await raw.end();
  });
  EXPECT_EQ(newly_refused(world, "sessions_full", before), 1);
}

// --- networks

TEST(TunnelLink, EndsAtTheFirstDamagedFrame) {
  TunnelWorld world;
  Tamper* relay = nullptr;
  auto [entry, exit] = world.pair(Outer::none, [&](Node& from, Node& at) {
    relay = &world.tamper(at.address);
    relay->way = Tamper::Way::to_client;
    relay->flip_at = 500'000;
    from.options->peers.front().address = relay->address;
  });
  const auto target = world.echo();
  const auto before = metric("villaged_htx_sessions_ended_total", R"(reason="protocol")");
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const auto data = pattern(2'000'000, 1);
    net::Nursery writer{core};
    writer.spawn([&]() -> asio_void { (void)co_await (*stream)->write_all(data); });
    Bytes echoed;
    Bytes buffer(64 * 1024);
    for (;;) {
      const auto read = co_await (*stream)->read_some(buffer);
      EXPECT_TRUE(read || read.error().code == Errc::reset);
      if (!read || *read == 0) break;
      echoed.insert(echoed.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*read));
    }
    co_await writer.join();
    EXPECT_LT(echoed.size(), 500'000U);  // nothing of the damaged frame or behind it
    EXPECT_TRUE(std::equal(echoed.begin(), echoed.end(), data.begin()));
  });
  const auto ended = [&] {
    return metric("villaged_htx_sessions_ended_total", R"(reason="protocol")") - before;
  };
  EXPECT_TRUE(world.until(clients, [&] { return ended() == 1; }));
}

TEST(TunnelLink, NoticesThatThePeerIsGone) {
  TunnelWorld world;
  Tamper* relay = nullptr;
  auto [entry, exit] = world.pair(Outer::none, [&](Node& from, Node& at) {
    relay = &world.tamper(at.address);
    from.options->peers.front().address = relay->address;
    from.options->session.ping_interval = 50ms;
    from.options->session.ping_timeout = 100ms;
  });
  const auto target = world.echo();
  net::StreamPtr stream;
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto dialed = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(dialed);
    if (dialed) stream = std::move(*dialed);
  });
  ASSERT_TRUE(stream);
  world.run(servers, [&](net::Core&) -> asio_void {
    relay->stall = true;
    co_return;
  });
  world.run(clients, [&](net::Core&) -> asio_void {
    const auto ended = co_await read_all(*stream);
    EXPECT_EQ(code_of(ended), Errc::reset);
    stream.reset();
  });
}

TEST(TunnelLink, UpdatesItsKeysWhileDataFlows) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node& from, Node& at) {
    for (auto* node : {&from, &at}) {
      node->options->session.chunk_bytes = 1'024;
      node->options->session.key_update_frames = 4'096;
    }
  });
  const auto target = world.echo();
  const auto before = metric("villaged_htx_key_updates_total", R"(direction="out")");
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const auto data = pattern(20'000'000, 1);
    net::Nursery writer{core};
    writer.spawn([&]() -> asio_void {
      (void)co_await (*stream)->write_all(data);
      (void)co_await (*stream)->shutdown_write();
    });
    const auto echoed = co_await read_all(**stream);
    co_await writer.join();
    EXPECT_TRUE(echoed && *echoed == data);
    EXPECT_GE(entry.tunnel->status().front().statistics.key_updates_out, 4U);
    EXPECT_GE(entry.tunnel->status().front().statistics.key_updates_in, 4U);
  });
  EXPECT_GE(metric("villaged_htx_key_updates_total", R"(direction="out")") - before, 8);
}

// --- crowds

TEST(Tunnel, HoldsAThousandSessionsAtOnce) {
  const auto descriptors = net::raise_descriptor_limit();
  if (!descriptors || *descriptors < 5'000) GTEST_SKIP() << "needs 5,000 descriptors";
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  const auto target = world.echo();
  constexpr std::size_t sessions = 1'000;
  std::vector<std::unique_ptr<service::Tunnel>> tunnels;
  std::size_t good = 0;
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    auto one = [&](service::Tunnel& tunnel, std::uint64_t seed) -> asio_void {
      auto stream = co_await tunnel.dialer("exit")->dial(target, net::after(core, 60s));
      EXPECT_TRUE(stream);
      if (!stream) co_return;
      const auto data = pattern(100, seed);
      const auto written = co_await (*stream)->write_all(data);
      EXPECT_TRUE(written);
      const auto echoed = co_await read_exactly(**stream, data.size());
      if (echoed && *echoed == data) ++good;
    };
    net::Nursery all{core};
    for (std::size_t i = 0; i < sessions; ++i) {
      tunnels.push_back(std::make_unique<service::Tunnel>(core, entry.options, *entry.exit));
      all.spawn([&one, &tunnel = *tunnels.back(), i] { return one(tunnel, i); });
    }
    co_await all.join();
  });
  EXPECT_EQ(good, sessions);
  const auto up = world.run(servers, [&, &exit = exit](net::Core&) -> boost::asio::awaitable<std::size_t> {
    co_return exit.tunnel->status().size();
  });
  EXPECT_EQ(up, sessions);
  world.run(clients, [&](net::Core& core) -> asio_void {
    net::Nursery all{core};
    auto end = [&](service::Tunnel& tunnel) -> asio_void { (void)co_await tunnel.drain(core.clock().now()); };
    for (auto& tunnel : tunnels) all.spawn([&end, &tunnel = *tunnel] { return end(tunnel); });
    co_await all.join();
    tunnels.clear();
  });
  EXPECT_TRUE(world.until(servers, [&, &exit = exit] { return exit.tunnel->status().empty(); }));
}

// Users that come and go as they please, on a connection that is cut again and again. What is looked for are
// operations that outlive their stream, their session or each other: the sanitizers see those.
class Chaos {
 public:
  Chaos(TunnelWorld& world, Node& entry, Target target)
      : world_{world}, entry_{entry}, target_{std::move(target)} {}

  asio_void user(net::Core& core, std::uint64_t seed) {
    SeededRandom random{seed};
    for (int i = 0; i < 25; ++i) {
      auto dialed = co_await world_.dial(entry_, "exit", target_, random.below(4) == 0 ? 2ms : 2s);
      if (!dialed) continue;
      const net::StreamPtr stream = std::move(*dialed);
      net::Nursery both{core};
      const auto bytes = random.below(500'000);
      both.spawn([&] { return write(*stream, bytes, random.below(2) == 0); });
      both.spawn([&] { return read(*stream, random.below(500'000)); });
      if (random.below(3) == 0) {  // gives up while both are under way
        (void)co_await net::sleep_until(core,
                                        net::after(core, std::chrono::microseconds{random.below(3'000)}));
        if (random.below(2) == 0) both.cancel();
        stream->close();
      }
      (void)co_await both.drain(net::after(core, 300ms));
      ++streams;
    }
  }
  int streams = 0;

 private:
  static asio_void write(net::Stream& stream, std::size_t bytes, bool finish) {
    const Bytes all(bytes, std::byte{1});
    const auto written = co_await stream.write_all(all);
    if (written && finish) (void)co_await stream.shutdown_write();
  }
  static asio_void read(net::Stream& stream, std::size_t bytes_max) {
    (void)co_await read_all(stream, bytes_max);
  }
  TunnelWorld& world_;
  Node& entry_;
  Target target_;
};

TEST(Tunnel, SurvivesUsersAndNetworksThatComeAndGo) {
  TunnelWorld world;
  Tamper* relay = nullptr;
  auto [entry, exit] = world.pair(Outer::none, [&](Node& from, Node& at) {
    relay = &world.tamper(at.address);
    from.options->peers.front().address = relay->address;
    from.options->backoff_max = 5ms;
    from.options->backoff_min = 1ms;
  });
  const auto target = world.echo();
  const auto streams_before = metric("villaged_htx_streams", R"(direction="out")");
  std::atomic<bool> over{false};
  std::promise<void> cutter_ended;
  world.runtime().spawn_on(servers, [&](net::Core& core) -> asio_void {
    while (!over) {
      for (auto* stream : relay->streams) stream->close();
      (void)co_await net::sleep_until(core, net::after(core, 15ms));
    }
    cutter_ended.set_value();
  });
  Chaos chaos{world, entry, target};
  world.run(clients, [&](net::Core& core) -> asio_void {
    net::Nursery users{core};
    for (std::uint64_t seed = 0; seed < 20; ++seed)
      users.spawn([&chaos, &core, seed] { return chaos.user(core, seed); });
    co_await users.join();
  });
  over = true;
  cutter_ended.get_future().wait();
  EXPECT_GT(chaos.streams, 50);
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {  // and it still works
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const auto same = co_await echo_digest(core, **stream, 1'000'000, 1);
    EXPECT_TRUE(same && *same);
  });
  world.stop(entry);
  EXPECT_EQ(metric("villaged_htx_streams", R"(direction="out")"), streams_before);
}

}  // namespace
}  // namespace village::test
