// The tunnel as its user sees it: two nodes on loopback, targets behind the exit.
#include "village/service/tunnel.hpp"

#include <gtest/gtest.h>

#include "tunnel_world.hpp"
#include "village/crypto/hash.hpp"
#include "village/htx/session.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using service::Outer;
using service::Tunnel;

class TunnelOver : public testing::TestWithParam<Outer> {};

TEST_P(TunnelOver, Carries64MiBEachWay) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(GetParam());
  const auto target = world.echo();
  const bool same = world.run(clients, [&, &entry = entry](net::Core& core) -> boost::asio::awaitable<bool> {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream) << name(stream.error().code);
    if (!stream) co_return false;
    const auto result = co_await echo_digest(core, **stream, 64 << 20, 1);
    co_return result&&* result;
  });
  EXPECT_TRUE(same);
}

TEST_P(TunnelOver, CarriesOneByte) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(GetParam());
  const auto target = world.echo();
  const bool same = world.run(clients, [&, &entry = entry](net::Core& core) -> boost::asio::awaitable<bool> {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    if (!stream) co_return false;
    const auto result = co_await echo_digest(core, **stream, 1, 2);
    co_return result&&* result;
  });
  EXPECT_TRUE(same);
}

TEST_P(TunnelOver, PassesTheOpenersHalfClose) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(GetParam());
  const auto target = world.serve([](net::Core&, net::StreamPtr stream) -> asio_void {
    const auto all = co_await read_all(*stream);  // ends with the opener's FIN
    if (!all) co_return;
    const auto answer = to_bytes("got " + std::to_string(all->size()));
    (void)co_await stream->write_all(answer);
    (void)co_await stream->shutdown_write();
  });
  const auto answer =
      world.run(clients, [&, &entry = entry](net::Core&) -> boost::asio::awaitable<std::string> {
        auto stream = co_await world.dial(entry, "exit", target);
        if (!stream) co_return std::string{name(stream.error().code)};
        const Bytes question(1'000'000, std::byte{7});
        (void)co_await (*stream)->write_all(question);
        (void)co_await (*stream)->shutdown_write();
        const auto all = co_await read_all(**stream);
        co_return all ? std::string{as_text(*all)} : std::string{name(all.error().code)};
      });
  EXPECT_EQ(answer, "got 1000000");
}

TEST_P(TunnelOver, PassesTheTargetsHalfClose) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(GetParam());
  std::size_t received = 0;  // of the servers' core
  const auto target = world.serve([&received](net::Core&, net::StreamPtr stream) -> asio_void {
    const auto hello = to_bytes("hello");
    (void)co_await stream->write_all(hello);
    (void)co_await stream->shutdown_write();
    const auto all = co_await read_all(*stream);
    if (all) received = all->size();
  });
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const auto hello = co_await read_all(**stream);  // ends with the target's FIN
    EXPECT_TRUE(hello && as_text(*hello) == "hello");
    const Bytes rest(300'000, std::byte{9});
    const auto written = co_await (*stream)->write_all(rest);
    EXPECT_TRUE(written);
    (void)co_await (*stream)->shutdown_write();
    (*stream)->close();
  });
  EXPECT_TRUE(world.until(servers, [&] { return received == 300'000; }));
}

TEST_P(TunnelOver, Carries200StreamsAtOnce) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(GetParam());
  const auto target = world.echo();
  int good = 0;
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    net::Nursery all{core};
    auto one = [&, &entry = entry](std::uint64_t seed) -> asio_void {
      auto stream = co_await world.dial(entry, "exit", target);
      if (!stream) co_return;
      const auto same = co_await echo_digest(core, **stream, 100'000 + seed * 13, seed);
      if (same && *same) ++good;
    };
    for (std::uint64_t i = 0; i < 200; ++i) all.spawn([&one, i] { return one(i); });
    co_await all.join();
  });
  EXPECT_EQ(good, 200);
}

TEST_P(TunnelOver, ConnectsOnceForManyDials) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(GetParam());
  const auto target = world.echo();
  const auto before = metric("villaged_htx_handshakes_total", R"(direction="out",result="ok")");
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    net::Nursery all{core};
    auto one = [&, &entry = entry]() -> asio_void {
      auto stream = co_await world.dial(entry, "exit", target);
      EXPECT_TRUE(stream);
    };
    for (int i = 0; i < 50; ++i) all.spawn([&one] { return one(); });
    co_await all.join();
    EXPECT_EQ(entry.tunnel->status().size(), 1U);
  });
  EXPECT_EQ(metric("villaged_htx_handshakes_total", R"(direction="out",result="ok")") - before, 1);
}

INSTANTIATE_TEST_SUITE_P(Outer, TunnelOver, testing::Values(Outer::none, Outer::tls),
                         [](const auto& each) { return each.param == Outer::none ? "None" : "Tls"; });

// --- refusals

TEST(Tunnel, TellsThatTheTargetRefused) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  EXPECT_EQ(dial_error(world, entry, "exit", world.closed_port()).code, Errc::refused);
}

TEST(Tunnel, DeniesPrivateTargetsByDefault) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node&, Node& at) { at.options->exit = {true, false}; });
  const auto target = world.echo();
  EXPECT_EQ(dial_error(world, entry, "exit", target).code, Errc::denied);
  EXPECT_EQ(dial_error(world, entry, "exit", Target{*DomainName::parse("localhost"), target.port}).code,
            Errc::denied);
}

TEST(Tunnel, DeniesEverythingWhenItIsNoExit) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node&, Node& at) { at.options->exit = {false, true}; });
  EXPECT_EQ(dial_error(world, entry, "exit", world.echo()).code, Errc::denied);
}

TEST(Tunnel, ResolvesNamesAtTheExit) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  auto target = world.echo();
  target.host = *DomainName::parse("localhost");
  const bool same = world.run(clients, [&, &entry = entry](net::Core& core) -> boost::asio::awaitable<bool> {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    if (!stream) co_return false;
    const auto result = co_await echo_digest(core, **stream, 1'000, 3);
    co_return result&&* result;
  });
  EXPECT_TRUE(same);
}

TEST(Tunnel, GivesNothingToAPeerThatIsNotOnTheList) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [&](Node&, Node& at) {
    at.options->peers.front().allow_inbound = false;
    world.knows(at, world.node("other", clients), true);
  });
  const auto before = metric("villaged_htx_handshakes_total", R"(direction="in",result="not_allowed")");
  EXPECT_EQ(refusal(world, entry, "exit", world.echo()).code, Errc::auth_failed);
  EXPECT_GE(metric("villaged_htx_handshakes_total", R"(direction="in",result="not_allowed")") - before, 1);
}

TEST(Tunnel, GivesNothingToAStranger) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::tls, [](Node&, Node& at) { at.options->peers.clear(); });
  EXPECT_EQ(refusal(world, entry, "exit", world.echo()).code, Errc::auth_failed);
}

TEST(Tunnel, DoesNotTalkToANodeWithAnotherKey) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [&](Node& from, Node&) {
    from.options->peers.front().key = world.node("other", clients).identity->public_key;
  });
  const auto before = metric("villaged_htx_handshakes_total", R"(direction="in",result="auth_failed")");
  EXPECT_EQ(refusal(world, entry, "exit", world.echo()).code, Errc::auth_failed);
  EXPECT_GE(metric("villaged_htx_handshakes_total", R"(direction="in",result="auth_failed")") - before, 1);
}

TEST(Tunnel, DoesNotTalkToACertificateWithAnotherPin) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(
      Outer::tls, [](Node& from, Node&) { (*from.options->peers.front().pin)[5] ^= std::byte{1}; });
  EXPECT_EQ(refusal(world, entry, "exit", world.echo()).code, Errc::bad_certificate);
}

TEST(Tunnel, RefusesASuiteThatThePeerMayNotUse) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node& from, Node& at) {
    from.options->peers.front().suites = {htx::Suite::xk_chacha_sha256};
    at.options->peers.front().suites = {htx::Suite::xk_aesgcm_sha256};
  });
  EXPECT_EQ(refusal(world, entry, "exit", world.echo()).code, Errc::auth_failed);
}

TEST(Tunnel, SpeaksAHybridSuiteByDefault) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node& from, Node& at) {
    from.options->require_pq = true;
    at.options->require_pq = true;
  });
  const auto target = world.echo();
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    const auto sessions = entry.tunnel->status();
    EXPECT_EQ(sessions.size(), 1U);
    for (const auto& session : sessions) {
      EXPECT_TRUE(session.suite == 5 || session.suite == 3) << session.suite;
    }
  });
}

TEST(Tunnel, RefusesAClassicalDialerWherePostQuantumIsRequired) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node& from, Node& at) {
    from.options->peers.front().suites = {htx::Suite::xk_chacha_sha256};
    at.options->peers.front().suites = {htx::Suite::xk_chacha_sha256, htx::Suite::xkhfs_chacha_sha256};
    at.options->require_pq = true;
  });
  EXPECT_EQ(refusal(world, entry, "exit", world.echo()).code, Errc::auth_failed);
}

TEST(Tunnel, HasNoDialerForUnknownOrInboundPeers) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  EXPECT_EQ(entry.tunnel->dialer("nobody"), nullptr);
  EXPECT_EQ(exit.tunnel->dialer("entry"), nullptr);
}

TEST(Tunnel, FailsWithTheLastErrorWhenThePeerIsAway) {
  TunnelWorld world;
  const auto away = world.closed_port();
  auto [entry, exit] =
      world.pair(Outer::none, [&](Node& from, Node&) { from.options->peers.front().address = away; });
  EXPECT_EQ(refusal(world, entry, "exit", world.echo()).code, Errc::refused);
}

}  // namespace
}  // namespace village::test
