// Sessions in time: lost and made again, shared fairly, reconfigured, drained.
#include <gtest/gtest.h>

#include <future>

#include "tunnel_world.hpp"
#include "village/service/tunnel.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using service::Outer;

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
  EXPECT_EQ(refusal(world, entry, "exit", target).code, Errc::bad_certificate);
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
