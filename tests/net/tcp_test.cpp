#include "village/net/tcp.hpp"

#include <netinet/tcp.h>

#include "net/support.hpp"
#include "village/net/system.hpp"
#include "village/net/unix.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::far;
using test::OneCore;
using test::pattern;
using test::read_exactly;
using test::stream_pair;
using test::value_of;

TEST(TcpStream, CarriesBytesBothWaysAtOnce) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    const auto sent = pattern(8 << 20);
    Nursery nursery{core};
    nursery.spawn([&]() -> asio::awaitable<void> { (void)co_await pair.left->write_all(sent); });
    nursery.spawn([&]() -> asio::awaitable<void> { (void)co_await pair.right->write_all(sent); });
    Bytes at_left, at_right;
    nursery.spawn(
        [&]() -> asio::awaitable<void> { at_left = co_await read_exactly(*pair.left, sent.size()); });
    nursery.spawn(
        [&]() -> asio::awaitable<void> { at_right = co_await read_exactly(*pair.right, sent.size()); });
    co_await nursery.join();
    EXPECT_TRUE(at_left == sent);
    EXPECT_TRUE(at_right == sent);
  });
}

TEST(TcpStream, HalfCloseLeavesTheOtherDirectionOpen) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    Bytes buffer(16);
    EXPECT_TRUE((co_await pair.left->write_all(as_bytes("ask"))).has_value());
    EXPECT_TRUE((co_await pair.left->shutdown_write()).has_value());
    const auto asked = co_await read_exactly(*pair.right, 100);
    EXPECT_EQ(as_text(asked), "ask");
    EXPECT_TRUE((co_await pair.right->write_all(as_bytes("answer"))).has_value());
    const auto answer = co_await read_exactly(*pair.left, 6);
    EXPECT_EQ(as_text(answer), "answer");
    EXPECT_TRUE((co_await pair.right->shutdown_write()).has_value());
    const auto end = co_await pair.left->read_some(buffer);
    EXPECT_TRUE(end.has_value());
    EXPECT_EQ(value_of(end, std::size_t{99}), 0u);
  });
}

TEST(TcpStream, ResetByThePeerIsReset) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    pair.right->reset();
    Bytes buffer(16);
    const auto got = co_await pair.left->read_some(buffer);
    EXPECT_EQ(code_of(got), Errc::reset);
    const auto written = co_await pair.left->write_all(buffer);
    EXPECT_EQ(code_of(written), Errc::reset);
  });
}

TEST(TcpStream, CloseEndsAReadUnderWayWithCancelled) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    Nursery nursery{core};
    std::optional<Errc> seen;
    nursery.spawn([&]() -> asio::awaitable<void> {
      Bytes buffer(16);
      const auto got = co_await pair.left->read_some(buffer);
      seen = code_of(got);
    });
    (void)co_await sleep_until(core, after(core, 1ms));
    pair.left.reset();  // the stream dies under the reader
    co_await nursery.join();
    EXPECT_EQ(seen, Errc::cancelled);
  });
}

TEST(TcpStream, MayDieUnderAWriteThatHasJustBecomePossible) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    Nursery nursery{core};
    std::optional<Errc> seen;
    nursery.spawn([&]() -> asio::awaitable<void> {
      const auto lots = pattern(64 << 20);
      const auto written = co_await pair.left->write_all(lots);
      seen = code_of(written);
    });
    (void)co_await sleep_until(core, after(core, 1ms));
    Bytes sink(32 << 20);
    while (pair.right->try_read(sink).has_value()) {
    }
    pair.left.reset();  // the wait for room may have ended already, its coroutine not run yet
    co_await nursery.join();
    EXPECT_TRUE(seen == Errc::cancelled || seen == Errc::closed);
  });
}

TEST(TcpStream, CancelEndsReadAndWriteButNotTheStream) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    Nursery nursery{core};
    std::optional<Errc> reading, writing;
    nursery.spawn([&]() -> asio::awaitable<void> {
      Bytes buffer(16);
      const auto got = co_await pair.left->read_some(buffer);
      reading = code_of(got);
    });
    nursery.spawn([&]() -> asio::awaitable<void> {
      const auto lots = pattern(64 << 20);
      const auto written = co_await pair.left->write_all(lots);
      writing = code_of(written);
    });
    (void)co_await sleep_until(core, after(core, 1ms));
    nursery.cancel();
    co_await nursery.join();
    EXPECT_EQ(reading, Errc::cancelled);
    EXPECT_EQ(writing, Errc::cancelled);
    EXPECT_TRUE((co_await pair.right->write_all(as_bytes("on"))).has_value());
    const auto got = co_await read_exactly(*pair.left, 2);
    EXPECT_EQ(as_text(got), "on");
  });
}

TEST(TcpStream, ReadWithDeadlineTimesOut) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    Bytes buffer(16);
    const auto got = co_await with_deadline(core, pair.left->read_some(buffer), after(core, 2ms));
    EXPECT_EQ(code_of(got), Errc::timed_out);
  });
}

TEST(TcpStream, OperationsAfterCloseSayClosed) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    pair.left->close();
    pair.left->close();
    Bytes buffer(16);
    EXPECT_EQ(code_of(co_await pair.left->read_some(buffer)), Errc::closed);
    EXPECT_EQ(code_of(co_await pair.left->write_all(buffer)), Errc::closed);
    EXPECT_EQ(code_of(co_await pair.left->shutdown_write()), Errc::closed);
    EXPECT_EQ(code_of(co_await pair.left->wait_readable()), Errc::closed);
    EXPECT_EQ(pair.left->native_tcp(), -1);
  });
}

TEST(TcpStream, WaitReadableComesWithBytesAndTakesNone) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    EXPECT_EQ(code_of(co_await with_deadline(core, pair.left->wait_readable(), after(core, 1ms))),
              Errc::timed_out);
    (void)co_await pair.right->write_all(as_bytes("x"));
    EXPECT_TRUE((co_await pair.left->wait_readable()).has_value());
    EXPECT_TRUE((co_await pair.left->wait_readable()).has_value());
    const auto got = co_await read_exactly(*pair.left, 1);
    EXPECT_EQ(as_text(got), "x");
  });
}

TEST(TcpStream, GatherWritesAllPartsInOrder) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    const auto first = pattern(3 << 20), second = pattern(1, 7), third = pattern(5 << 20, 13);
    Bytes whole = first;
    whole.insert(whole.end(), second.begin(), second.end());
    whole.insert(whole.end(), third.begin(), third.end());
    Nursery nursery{core};
    nursery.spawn([&]() -> asio::awaitable<void> {
      const std::array<ByteView, 4> parts{first, second, ByteView{}, third};
      const auto written = co_await pair.left->write_gather(parts);
      EXPECT_TRUE(written.has_value());
    });
    const auto got = co_await read_exactly(*pair.right, whole.size());
    EXPECT_TRUE(got == whole);
    co_await nursery.join();
  });
}

TEST(TcpStream, SetsNoDelayAndCubicOnLoopback) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pair = stream_pair(core);
    EXPECT_EQ(option(pair.left->native(), IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(pair.left->congestion(), "cubic");
    EXPECT_TRUE(pair.left->local().has_value());
    EXPECT_EQ(pair.left->local_endpoint(), pair.right->peer());
    co_return;
  });
}

/// closed_port is one that was free a moment ago.
std::uint16_t closed_port() {
  auto listener = Listener::bind_tcp(loopback_v4(), 1);
  VG_CHECK(listener.has_value());
  return (*listener)->local()->port;
}

TEST(TcpDialer, ConnectsAndRefusals) {
  OneCore one;
  auto listener = Listener::bind_tcp(loopback_v4(), 1);
  ASSERT_TRUE(listener.has_value());
  const auto port = closed_port();
  one.run([&](Core& core) -> asio::awaitable<void> {
    TcpDialer dialer{core};
    const auto stream = co_await dialer.dial(to_target(*(*listener)->local()), far(core));
    EXPECT_TRUE(stream.has_value());
    const auto refused = co_await dialer.dial(to_target(loopback_v4(port)), far(core));
    EXPECT_EQ(code_of(refused), Errc::refused);
  });
}

TEST(TcpDialer, PolicyIsAppliedToTheAddressDialled) {
  TcpDialerOptions options;
  options.allow = [](const Ip& ip) { return is_public(ip); };
  OneCore one;
  one.run([&](Core& core) -> asio::awaitable<void> {
    TcpDialer dialer{core, options};
    EXPECT_EQ(code_of(co_await dialer.dial(to_target(loopback_v4(80)), far(core))), Errc::denied);
    auto localhost = *parse_target("localhost:80");
    EXPECT_EQ(code_of(co_await dialer.dial(localhost, far(core))), Errc::denied);
    auto mapped = *parse_target("[::ffff:127.0.0.1]:80");
    EXPECT_EQ(code_of(co_await dialer.dial(mapped, far(core))), Errc::denied);
  });
}

TEST(TcpDialer, PastDeadlineIsTimedOut) {
  OneCore one;
  one.run([&](Core& core) -> asio::awaitable<void> {
    TcpDialer dialer{core};
    EXPECT_EQ(code_of(co_await dialer.dial(to_target(loopback_v4(80)), core.clock().now())), Errc::timed_out);
  });
}

/// Hosts is a hosts file with one line.
class Hosts {
 public:
  explicit Hosts(const std::string& text)
      : path_{::testing::TempDir() + "village_hosts_" + std::to_string(::getpid())} {
    FILE* file = std::fopen(path_.c_str(), "w");
    VG_CHECK(file != nullptr);
    std::fputs(text.c_str(), file);
    std::fclose(file);
  }
  ~Hosts() { ::unlink(path_.c_str()); }
  ResolverOptions options() const {
    ResolverOptions all;
    all.hosts_file = path_;
    return all;
  }

 private:
  std::string path_;
};

/// FullBacklog listens and never accepts, its queue full: a further connect hangs as against a black hole.
class FullBacklog {
 public:
  FullBacklog() : listening_{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const auto any = to_address(loopback_v6());
    VG_CHECK(::bind(listening_, any.get(), any.size) == 0);
    VG_CHECK(::listen(listening_, 0) == 0);
    const auto where = to_address(*socket_local(listening_));
    for (auto& fd : fillers_) {
      fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      (void)::connect(fd, where.get(), where.size);
    }
  }
  ~FullBacklog() {
    for (const int fd : fillers_) ::close(fd);
    ::close(listening_);
  }
  std::uint16_t port() const { return socket_local(listening_)->port; }

 private:
  int listening_;
  std::array<int, 4> fillers_{};
};

TEST(HappyEyeballs, DeadFirstAddressCostsOneStagger) {
  // ::1 hangs, 127.0.0.1 answers, on one port: try until one is free in both families.
  auto hanging = std::make_unique<FullBacklog>();
  auto listener = Listener::bind_tcp(loopback_v4(hanging->port()), 1);
  for (int tries = 0; listener.has_error() && tries < 100; ++tries) {
    hanging = std::make_unique<FullBacklog>();
    listener = Listener::bind_tcp(loopback_v4(hanging->port()), 1);
  }
  ASSERT_TRUE(listener.has_value());
  const auto& dead = *hanging;
  const Hosts hosts{"::1 dual.test\n127.0.0.1 dual.test\n"};
  OneCore one{hosts.options()};
  one.run([&](Core& core) -> asio::awaitable<void> {
    TcpDialer dialer{core};
    const Target target{*DomainName::parse("dual.test"), dead.port()};
    const auto begin = core.clock().now();
    auto stream = co_await dialer.connect(target, far(core));
    const auto took = core.clock().now() - begin;
    EXPECT_TRUE(stream.has_value());
    if (!stream.has_value()) co_return;
    EXPECT_TRUE(is_v4((*stream)->peer()->ip));
    EXPECT_GE(took, limits::connect_stagger);
    EXPECT_LT(took, limits::connect_stagger * 8);  // the dead one alone would take a minute
  });
}

TEST(HappyEyeballs, RefusedFirstAddressCostsNothing) {
  auto listener = Listener::bind_tcp(loopback_v4(), 1);
  ASSERT_TRUE(listener.has_value());
  const Hosts hosts{"::1 dual.test # comment\n127.0.0.1 DUAL.test other\n"};
  OneCore one{hosts.options()};
  TcpDialerOptions options;
  options.stagger = 60s;
  one.run([&](Core& core) -> asio::awaitable<void> {
    TcpDialer dialer{core, options};
    const Target target{*DomainName::parse("Dual.Test"), (*listener)->local()->port};
    auto stream = co_await dialer.connect(target, after(core, 30s));
    EXPECT_TRUE(stream.has_value());
  });
}

TEST(HappyEyeballs, DialOfADeadHostEndsAtTheDeadline) {
  const FullBacklog dead;
  OneCore one;
  one.run([&](Core& core) -> asio::awaitable<void> {
    TcpDialer dialer{core};
    const auto stream = co_await dialer.dial(to_target(loopback_v6(dead.port())), after(core, 20ms));
    EXPECT_EQ(code_of(stream), Errc::timed_out);
  });
}

TEST(System, DescriptorLimitIsRaisedToTheHardOne) {
  const auto limit = raise_descriptor_limit();
  ASSERT_TRUE(limit.has_value());
  EXPECT_GT(*limit, 100u);
  EXPECT_FALSE(usable_cpus().empty());
  EXPECT_FALSE(default_congestion().empty());
}

TEST(Endpoint, TextFormsRoundTrip) {
  for (const auto* text : {"127.0.0.1:80", "[::1]:0", "[2001:db8::1]:65535"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint.has_value()) << text;
    EXPECT_EQ(to_text(*endpoint), text);
    const auto address = to_address(*endpoint);
    EXPECT_EQ(from_address(address.get(), address.size), *endpoint);
  }
  EXPECT_EQ(code_of(parse_endpoint("example.org:1")), Errc::bad_argument);
}

}  // namespace
}  // namespace village::net
