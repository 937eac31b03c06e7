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

// Sends `size` pseudo-random bytes to an echo through the tunnel while reading them back; both digests must
// agree.
net::Task<bool> echo_digest(net::Core& core, net::Stream& stream, std::size_t size, std::uint64_t seed) {
  crypto::HashStream sent{crypto::HashAlgorithm::sha256};
  crypto::HashStream got{crypto::HashAlgorithm::sha256};
  std::size_t read_bytes = 0;
  bool failed = false;
  net::Nursery both{core};
  auto write = [&]() -> asio_void {
    SeededRandom random{seed};
    Bytes piece(100'000);
    for (std::size_t done = 0; done < size;) {
      const auto count = std::min(piece.size(), size - done);
      const auto part = ByteSpan{piece}.first(count);
      random.fill(part);
      sent.update(part);
      const auto written = co_await stream.write_all(part);
      if (!written) failed = true;
      if (failed) co_return;
      done += count;
    }
    const auto finished = co_await stream.shutdown_write();
    if (!finished) failed = true;
  };
  auto read = [&]() -> asio_void {
    Bytes piece(70'000);
    for (;;) {
      const auto count = co_await stream.read_some(piece);
      if (!count) failed = true;
      if (!count || *count == 0) co_return;
      got.update(ByteView{piece}.first(*count));
      read_bytes += *count;
    }
  };
  both.spawn(write);
  both.spawn(read);
  co_await both.join();
  const auto a = sent.finish();
  const auto b = got.finish();
  co_return !failed && read_bytes == size && crypto::equal(a.view(), b.view());
}

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
  EXPECT_EQ(exit.tunnel == nullptr, false);
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

Error dial_error(TunnelWorld& world, Node& from, const std::string& peer, const Target& target,
                 Duration within = 20s) {
  return world.run(from.core, [&](net::Core&) -> boost::asio::awaitable<Error> {
    auto stream = co_await world.dial(from, peer, target, within);
    co_return stream ? Error{Errc::internal} : stream.error();
  });
}

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
  EXPECT_EQ(dial_error(world, entry, "exit", world.echo(), 500ms).code, Errc::auth_failed);
  EXPECT_GE(metric("villaged_htx_handshakes_total", R"(direction="in",result="not_allowed")") - before, 1);
}

TEST(Tunnel, GivesNothingToAStranger) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::tls, [](Node&, Node& at) { at.options->peers.clear(); });
  EXPECT_EQ(dial_error(world, entry, "exit", world.echo(), 500ms).code, Errc::auth_failed);
}

TEST(Tunnel, DoesNotTalkToANodeWithAnotherKey) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [&](Node& from, Node&) {
    from.options->peers.front().key = world.node("other", clients).identity->public_key;
  });
  const auto before = metric("villaged_htx_handshakes_total", R"(direction="in",result="auth_failed")");
  EXPECT_EQ(dial_error(world, entry, "exit", world.echo(), 500ms).code, Errc::auth_failed);
  EXPECT_GE(metric("villaged_htx_handshakes_total", R"(direction="in",result="auth_failed")") - before, 1);
}

TEST(Tunnel, DoesNotTalkToACertificateWithAnotherPin) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(
      Outer::tls, [](Node& from, Node&) { (*from.options->peers.front().pin)[5] ^= std::byte{1}; });
  EXPECT_EQ(dial_error(world, entry, "exit", world.echo(), 500ms).code, Errc::bad_certificate);
}

TEST(Tunnel, RefusesASuiteThatThePeerMayNotUse) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node& from, Node& at) {
    from.options->peers.front().suites = {htx::Suite::xk_chacha_sha256};
    at.options->peers.front().suites = {htx::Suite::xk_aesgcm_sha256};
  });
  EXPECT_EQ(dial_error(world, entry, "exit", world.echo(), 500ms).code, Errc::auth_failed);
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
  EXPECT_EQ(dial_error(world, entry, "exit", world.echo(), 300ms).code, Errc::refused);
}

// --- sessions that die

TEST(Tunnel, ReconnectsAfterTheSessionWasKilledInADownload) {
  TunnelWorld world;
  Tamper* relay = nullptr;
  auto [entry, exit] = world.pair(Outer::none, [&](Node& from, Node& at) {
    relay = &world.tamper(at.address);
    from.options->peers.front().address = relay->address;
  });
  const auto endless = world.serve([](net::Core&, net::StreamPtr stream) -> asio_void {
    const Bytes piece(64 * 1024, std::byte{3});
    for (;;) {
      const auto written = co_await stream->write_all(piece);
      if (!written) co_return;
    }
  });
  net::StreamPtr stream;
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto dialed = co_await world.dial(entry, "exit", endless);
    EXPECT_TRUE(dialed);
    if (!dialed) co_return;
    stream = std::move(*dialed);
    const auto some = co_await read_exactly(*stream, 5'000'000);
    EXPECT_TRUE(some);
  });
  ASSERT_TRUE(stream);
  world.cut(*relay);
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    const auto rest = co_await read_all(*stream);
    EXPECT_EQ(code_of(rest), Errc::reset);
    const Bytes piece(10, std::byte{1});
    const auto written = co_await stream->write_all(piece);
    EXPECT_FALSE(written);
    stream.reset();
    auto again = co_await world.dial(entry, "exit", endless);
    EXPECT_TRUE(again);
    if (!again) co_return;
    const auto some = co_await read_exactly(**again, 1'000'000);
    EXPECT_TRUE(some);
    (void)core;
  });
  EXPECT_EQ(world.run(servers,
                      [&](net::Core&) -> boost::asio::awaitable<std::size_t> { co_return relay->accepted; }),
            2U);
}

TEST(Tunnel, WaitsForThePeerToComeBack) {
  TunnelWorld world;
  Tamper* relay = nullptr;
  auto [entry, exit] = world.pair(Outer::none, [&](Node& from, Node& at) {
    relay = &world.tamper(at.address);
    relay->refuse = true;
    from.options->peers.front().address = relay->address;
  });
  const auto target = world.echo();
  auto& runtime = world.runtime();
  std::promise<bool> connected;
  runtime.spawn_on(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", target);
    connected.set_value(bool{stream});
  });
  EXPECT_TRUE(world.until(servers, [&] { return relay->accepted >= 3; }));  // it tries, and tries again
  world.run(servers, [&](net::Core&) -> asio_void {
    relay->refuse = false;
    co_return;
  });
  EXPECT_TRUE(connected.get_future().get());
}

TEST(Tunnel, ClosesASessionWithoutStreams) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none, [](Node& from, Node&) { from.options->idle_timeout = 50ms; });
  const auto before = metric("villaged_htx_sessions_ended_total", R"(reason="idle")");
  const auto target = world.echo();
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    EXPECT_EQ(entry.tunnel->status().front().state, "connected");
  });
  EXPECT_TRUE(
      world.until(clients, [&, &entry = entry] { return entry.tunnel->status().front().state == "idle"; }));
  EXPECT_TRUE(world.until(servers, [&, &exit = exit] { return exit.tunnel->status().empty(); }));
  EXPECT_EQ(metric("villaged_htx_sessions_ended_total", R"(reason="idle")") - before, 1);
}

// --- fairness

TEST(Tunnel, ASlowReaderDoesNotSlowTheOthers) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  constexpr std::size_t size = 2'000'000;
  const auto source = world.serve([](net::Core&, net::StreamPtr stream) -> asio_void {
    const Bytes all(size, std::byte{5});
    const auto written = co_await stream->write_all(all);
    if (written) (void)co_await stream->shutdown_write();
  });
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    // Several that do not read at all: together they could hold more than a connection's first credit.
    std::vector<net::StreamPtr> stuck;
    for (int i = 0; i < 8; ++i) {
      auto stream = co_await world.dial(entry, "exit", source);
      EXPECT_TRUE(stream);
      if (stream) stuck.push_back(std::move(*stream));
    }
    int done = 0;
    net::Nursery readers{core};
    auto reader = [&, &entry = entry]() -> asio_void {
      auto stream = co_await world.dial(entry, "exit", source);
      EXPECT_TRUE(stream);
      if (!stream) co_return;
      const auto all = co_await read_all(**stream);
      EXPECT_TRUE(all);
      if (all && all->size() == size) ++done;
    };
    for (int i = 0; i < 31; ++i) readers.spawn([&reader] { return reader(); });
    const auto late = co_await readers.drain(net::after(core, 20s));
    EXPECT_EQ(late, 0U);
    EXPECT_EQ(done, 31);
    for (auto& stream : stuck) {  // and nothing of theirs is lost
      const auto all = co_await read_all(*stream);
      EXPECT_TRUE(all && all->size() == size);
    }
  });
}

TEST(Tunnel, QueuesDialsAboveThePeersStreamLimit) {
  TunnelWorld world;
  auto [entry, exit] =
      world.pair(Outer::none, [](Node&, Node& at) { at.options->session.peer_streams_max = 4; });
  const auto target = world.echo();
  int good = 0;
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    net::Nursery all{core};
    auto one = [&, &entry = entry](std::uint64_t seed) -> asio_void {
      auto stream = co_await world.dial(entry, "exit", target);
      if (!stream) co_return;
      const auto same = co_await echo_digest(core, **stream, 1'000, seed);
      if (same && *same) ++good;
    };
    auto first = co_await world.dial(entry, "exit", target);  // now the limit is known
    EXPECT_TRUE(first);
    for (std::uint64_t i = 0; i < 20; ++i) all.spawn([&one, i] { return one(i); });
    co_await all.join();
  });
  EXPECT_EQ(good, 20);
}

// --- configuration and the end

TEST(Tunnel, ReloadEndsSessionsOfRemovedPeersOnly) {
  TunnelWorld world;
  auto& exit = world.node("exit", servers);
  auto& kept = world.node("kept", clients);
  auto& gone = world.node("gone", clients);
  world.listens(exit, Outer::tls);
  exit.options->exit = {true, true};
  for (auto* node : {&kept, &gone}) {
    world.knows(exit, *node, true);
    world.knows(*node, exit, false);
  }
  for (auto* node : {&exit, &kept, &gone}) world.start(*node);
  const auto target = world.echo();
  net::StreamPtr kept_stream, gone_stream;
  world.run(clients, [&](net::Core&) -> asio_void {
    auto a = co_await world.dial(kept, "exit", target);
    auto b = co_await world.dial(gone, "exit", target);
    EXPECT_TRUE(a && b);
    if (!a || !b) co_return;
    kept_stream = std::move(*a);
    gone_stream = std::move(*b);
  });
  ASSERT_TRUE(kept_stream && gone_stream);
  world.run(servers, [&](net::Core&) -> asio_void {
    auto changed = std::make_shared<service::TunnelOptions>(*exit.options);
    std::erase_if(changed->peers, [](const auto& peer) { return peer.name == "gone"; });
    exit.options = changed;
    exit.tunnel->reload(changed);
    co_return;
  });
  world.run(clients, [&](net::Core& core) -> asio_void {
    const auto ended = co_await read_all(*gone_stream);
    EXPECT_FALSE(ended);
    const auto same = co_await echo_digest(core, *kept_stream, 100'000, 4);
    EXPECT_TRUE(same && *same);
    auto again = co_await world.dial(gone, "exit", target, 300ms);
    EXPECT_FALSE(again);
    gone_stream.reset();
    kept_stream.reset();
  });
}

TEST(Tunnel, ReloadOfTheDialerEndsItsSessionAndItsDialer) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  const auto target = world.echo();
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    auto* dialer = entry.tunnel->dialer("exit");
    auto changed = std::make_shared<service::TunnelOptions>(*entry.options);
    changed->peers.clear();
    entry.tunnel->reload(changed);
    const auto ended = co_await read_all(**stream);
    EXPECT_FALSE(ended);
    EXPECT_EQ(entry.tunnel->dialer("exit"), dialer);
    auto again = co_await world.dial(entry, "exit", target);
    EXPECT_EQ(code_of(again), Errc::not_found);
    entry.tunnel->reload(entry.options);  // and back
    auto back = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(back);
  });
}

TEST(Tunnel, ReloadReadsTheCertificateAgain) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::tls);
  const auto target = world.echo();
  const auto old_pin = exit.pin;
  // A second node of the same name writes a new certificate over the files of the first.
  auto& same_name = world.node("exit", servers);
  world.listens(same_name, Outer::tls);
  ASSERT_NE(same_name.pin, old_pin);
  world.run(servers, [&, &exit = exit](net::Core&) -> asio_void {
    exit.tunnel->reload(exit.options);
    co_return;
  });
  EXPECT_EQ(dial_error(world, entry, "exit", target, 500ms).code, Errc::bad_certificate);
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto changed = std::make_shared<service::TunnelOptions>(*entry.options);
    changed->peers.front().pin = same_name.pin;
    entry.tunnel->reload(changed);
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
  });
}

TEST(Tunnel, DrainLetsStreamsFinish) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  const auto target = world.echo();
  net::StreamPtr stream;
  world.run(clients, [&, &entry = entry](net::Core&) -> asio_void {
    auto dialed = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(dialed);
    if (dialed) stream = std::move(*dialed);
  });
  ASSERT_TRUE(stream);
  std::promise<bool> drained;
  world.runtime().spawn_on(servers, [&, &exit = exit](net::Core& core) -> asio_void {
    const auto result = co_await exit.tunnel->drain(net::after(core, 20s));
    drained.set_value(bool{result});
  });
  EXPECT_TRUE(
      world.until(servers, [&, &exit = exit] { return exit.tunnel->status().front().state == "retiring"; }));
  EXPECT_NE(dial_error(world, entry, "exit", target, 300ms).code, Errc::internal);  // no new streams
  world.run(clients, [&](net::Core& core) -> asio_void {
    const auto same = co_await echo_digest(core, *stream, 3'000'000, 5);
    EXPECT_TRUE(same && *same);
    stream.reset();
  });
  EXPECT_TRUE(drained.get_future().get());
}

TEST(Tunnel, DrainCutsStreamsAtItsDeadline) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  const auto target = world.echo();
  world.run(clients, [&, &entry = entry](net::Core& core) -> asio_void {
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    const auto drained = co_await entry.tunnel->drain(net::after(core, 50ms));
    EXPECT_EQ(code_of(drained), Errc::timed_out);
    if (!stream) co_return;
    const auto ended = co_await read_all(**stream);
    EXPECT_FALSE(ended);
    EXPECT_TRUE(entry.tunnel->status().front().state == "idle");
  });
}

TEST(Tunnel, ShowsItsSessions) {
  TunnelWorld world;
  auto [entry, exit] = world.pair(Outer::none);
  const auto target = world.echo();
  world.run(clients, [&, &entry = entry, &exit = exit](net::Core& core) -> asio_void {
    auto rows = entry.tunnel->status();
    EXPECT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.front().state, "idle");
    auto stream = co_await world.dial(entry, "exit", target);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const auto same = co_await echo_digest(core, **stream, 1'000'000, 6);
    EXPECT_TRUE(same && *same);
    rows = entry.tunnel->status();
    EXPECT_EQ(rows.size(), 1U);
    const auto& row = rows.front();
    EXPECT_EQ(row.peer, "exit");
    EXPECT_EQ(row.node, wire::NodeId::of(exit.identity->public_key).name());
    EXPECT_FALSE(row.inbound);
    EXPECT_EQ(row.state, "connected");
    EXPECT_EQ(row.core, clients);
    EXPECT_GE(row.statistics.data_bytes_in, 1'000'000U);
    EXPECT_GE(row.statistics.data_bytes_out, 1'000'000U);
    EXPECT_EQ(row.last_error, "");
  });
}

}  // namespace
}  // namespace village::test
