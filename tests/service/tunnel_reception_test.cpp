// The front of a listener with tickets: peers come in, strangers meet the origin, and every step fails as it
// should. Against nginx itself: tests/integration/decoy_test.py.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>

#include "service/decoy_splice.hpp"
#include "service/tunnel_way_in.hpp"
#include "tunnel_world.hpp"
#include "village/net/clock.hpp"
#include "village/proxy/upgrade.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using service::Outer;

constexpr std::string_view page = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// What the origin saw of one connection.
struct Visit {
  std::string bytes;
  bool finished = false;
};

/// An origin that answers each "\r\n\r\n" with a page.
struct Origin {
  explicit Origin(TunnelWorld& world) {
    address = world.serve([this](net::Core&, net::StreamPtr stream) -> asio_void {
      ++connections;
      auto& visit = visits.emplace_back();
      Bytes buffer(4'096);
      for (;;) {
        const auto got = co_await stream->read_some(buffer);
        if (!got) co_return;
        if (*got == 0) break;
        visit.bytes += as_text(ByteView{buffer}.first(*got));
        if (!visit.bytes.ends_with("\r\n\r\n")) continue;
        (void)co_await stream->write_all(as_bytes(page));
        if (hang_up) break;
      }
      visit.finished = true;
      (void)co_await stream->shutdown_write();
    });
  }
  Target address{Ipv4Address{}, 0};
  std::list<Visit> visits;  // on the servers' core
  std::atomic<int> connections{0};
  bool hang_up = false;
};

/// Two nodes with outer tls and tickets, and an origin behind the exit.
struct Front {
  explicit Front(const std::function<void(Node&, Node&)>& change = {}) : origin{world} {
    nodes.emplace(world.pair(Outer::tls, [&](Node& entry, Node& exit) {
      world.asks_for_tickets(exit, entry);
      exit.options->decoy.origin = origin.address;
      exit.options->exit = {true, true};
      if (change) change(entry, exit);
    }));
  }
  ~Front() {
    world.stop(nodes->entry);
    world.stop(nodes->exit);
  }
  Node& entry() { return nodes->entry; }
  Node& exit() { return nodes->exit; }

  TunnelWorld world;
  Origin origin;
  std::optional<TunnelWorld::Pair> nodes;
};

/// A stranger's TLS connection.
net::Task<std::unique_ptr<net::TlsStream>> knock(net::Core& core, Node& exit) {
  net::TcpDialer dialer{core};
  auto dialed = co_await dialer.dial(exit.address, net::after(core, 10s));
  if (!dialed) co_return dialed.error();
  auto context = net::TlsClientContext::make(net::TlsClientOptions{{"http/1.1"}, net::TlsVersion::v1_3});
  if (!context) co_return context.error();
  net::TlsServerName server;
  server.sni = "a.example";
  server.trust.pin = exit.pin;
  auto tls = co_await net::TlsStream::connect(core, std::move(*dialed), std::move(*context),
                                              std::move(server), net::after(core, 10s));
  co_return tls;
}

/// say sends `text` and reads `bytes` of the answer.
net::Task<std::string> say(net::TlsStream& tls, std::string text, std::size_t bytes) {
  const auto sent = co_await tls.write_all(as_bytes(text));
  if (!sent) co_return sent.error();
  auto answer = co_await read_exactly(tls, bytes);
  if (!answer) co_return answer.error();
  co_return std::string{as_text(*answer)};
}

/// The head of a way in with this ticket.
std::string upgrade(std::string_view ticket) {
  const proxy::UpgradeRequest request{"a", {}, proxy::TicketCarrier::cookie, ticket};
  return *proxy::write_upgrade_request(proxy::UpgradeProfile::chrome, request, {});
}

std::string good_ticket(Front& front) {
  crypto::SystemRandom random;
  const auto& peer = front.entry().options->peers.front();
  return *htx::make_ticket(*peer.ticket, net::SystemClock{}.wall(), random);
}

std::string answer_to(Front& front, std::string text, std::size_t bytes = page.size()) {
  return front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<std::string> {
    auto tls = co_await knock(core, front.exit());
    if (!tls) co_return "no TLS";
    auto answer = co_await net::with_deadline(core, say(**tls, text, bytes), net::after(core, 10s));
    co_return answer ? *answer : std::string{name(answer.error().code)};
  });
}

TEST(TunnelReception, LetsAPeerInByEitherCarrier) {
  for (const int query : {0, 10'000}) {
    Front front{[query](Node& entry, Node&) {
      entry.options->tickets.policy.cookie = static_cast<std::uint16_t>(10'000 - query);
      entry.options->tickets.policy.query = static_cast<std::uint16_t>(query);
    }};
    const auto before = metric("villaged_htx_ways_in_total", "");
    const auto target = front.world.echo();
    const bool fine = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<bool> {
      auto stream = co_await front.world.dial(front.entry(), "exit", target);
      if (!stream) co_return false;
      co_return co_await echo_digest(core, **stream, 100'000, 7);
    });
    EXPECT_TRUE(fine);
    EXPECT_EQ(metric("villaged_htx_ways_in_total", "") - before, 1);
    EXPECT_TRUE(front.world.until(servers, [&] { return front.origin.visits.size() == 1; }));
    front.world.run(servers, [&](net::Core&) -> asio_void {
      EXPECT_EQ(front.origin.visits.front().bytes, "");  // nothing of a peer reaches the origin
      co_return;
    });
  }
}

TEST(TunnelReception, GivesStrangersTheOriginWordForWord) {
  Front front;
  const std::string odd = "GET  /%zz HTTP/9.9\nX : y\r\n\r\n";
  EXPECT_EQ(answer_to(front, odd), page);
  EXPECT_TRUE(front.world.until(servers, [&] { return front.origin.visits.size() == 1; }));
  front.world.run(servers, [&](net::Core&) -> asio_void {
    EXPECT_EQ(front.origin.visits.front().bytes, odd);
    co_return;
  });
}

TEST(TunnelReception, ShowsTheOriginToTicketsThatAreNotGood) {
  Front front;
  const auto counted = [](std::string_view reason) {
    return metric("villaged_htx_decoyed_total", "reason=\"" + std::string{reason} + "\"");
  };
  const auto bad = counted("bad_ticket");
  const auto good = good_ticket(front);
  EXPECT_EQ(answer_to(front, upgrade(std::string(180, 'A'))), page);
  auto damaged = good;
  damaged[120] = damaged[120] == 'A' ? 'B' : 'A';
  EXPECT_EQ(answer_to(front, upgrade(damaged)), page);
  EXPECT_EQ(answer_to(front, upgrade(good), 12), "HTTP/1.1 101");
  EXPECT_EQ(answer_to(front, upgrade(good)), page);  // a ticket opens once
  EXPECT_EQ(counted("bad_ticket") - bad, 3);
  const auto pipelined = counted("pipelined");
  EXPECT_EQ(answer_to(front, upgrade(good_ticket(front)) + std::string{get}), page);
  EXPECT_EQ(counted("pipelined") - pipelined, 1);
}

TEST(TunnelReception, LeavesANearOriginAloneUntilSomebodySpeaksTls) {
  Front front;
  front.world.run(clients, [&](net::Core& core) -> asio_void {
    net::TcpDialer dialer{core};
    const auto half = co_await dialer.dial(front.exit().address, net::after(core, 10s));
    EXPECT_TRUE(half.has_value());
    const std::array<std::byte, 1> hello{std::byte{0x16}};  // the first byte of TLS, and no more
    if (half) (void)co_await (*half)->write_all(hello);
    auto tls = co_await knock(core, front.exit());
    EXPECT_TRUE(tls.has_value());
    if (!tls) co_return;
    const auto answer =
        co_await net::with_deadline(core, say(**tls, std::string{get}, page.size()), net::after(core, 10s));
    EXPECT_TRUE(answer.has_value());
    EXPECT_EQ(front.origin.connections, 1);
  });
}

TEST(TunnelReception, HoldsAnUnfinishedWayInAndThenLetsItGo) {
  Front front;
  const auto answer = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<std::string> {
    auto tls = co_await knock(core, front.exit());
    if (!tls) co_return "no TLS";
    const auto head = upgrade(std::string(180, 'A'));
    for (const char c : head.substr(0, 60)) {
      (void)co_await (*tls)->write_all(as_bytes(std::string_view{&c, 1}));
      (void)co_await net::sleep_until(core, net::after(core, 1ms));
    }
    auto rest = co_await say(**tls, head.substr(60), page.size());
    co_return rest ? *rest : "";
  });
  EXPECT_EQ(answer, page);
}

TEST(TunnelReception, PassesTheOriginsEndOn) {
  Front front;
  front.origin.hang_up = true;
  const auto ended = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<bool> {
    auto tls = co_await knock(core, front.exit());
    if (!tls) co_return false;
    (void)co_await say(**tls, std::string{get}, page.size());
    Bytes rest(1);
    const auto end = co_await (*tls)->read_some(rest);  // 0: a close_notify came
    co_return end&&* end == 0;
  });
  EXPECT_TRUE(ended);
}

TEST(TunnelReception, KeepsSilentAfterABadHandshakeAndThenCloses) {
  Front front{[](Node&, Node& exit) { exit.options->decoy.silent_timeout = 300ms; }};
  const auto ticket = good_ticket(front);
  const auto took = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<Duration> {
    auto tls = co_await knock(core, front.exit());
    if (!tls) co_return Duration{0};
    auto head = co_await say(**tls, upgrade(ticket), 12);
    if (!head || *head != "HTTP/1.1 101") co_return Duration{0};
    const auto begin = core.clock().now();
    (void)co_await (*tls)->write_all(as_bytes(std::string_view{"HTX\x01garbage that is no Noise at all"}));
    (void)co_await read_all(**tls, 10'000);
    co_return core.clock().now() - begin;
  });
  EXPECT_GE(took, 290ms);
}

TEST(TunnelReception, KeepsSilentToWhoSaysNothingAndThenCloses) {
  Front front{[](Node&, Node& exit) {
    exit.options->handshake_timeout = 100ms;
    exit.options->decoy.silent_timeout = 400ms;
  }};
  const auto ticket = good_ticket(front);
  const auto heard = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<std::string> {
    auto tls = co_await knock(core, front.exit());
    if (!tls) co_return "no TLS";
    const auto begin = core.clock().now();
    auto head = co_await say(**tls, upgrade(ticket), 12);
    if (!head || *head != "HTTP/1.1 101") co_return "no 101";
    auto rest = co_await read_all(**tls, 10'000);
    const auto took = core.clock().now() - begin;
    if (!rest || took < 390ms) co_return "too early, or without a notice";
    const auto text = std::string{as_text(*rest)};
    co_return text.substr(std::min(text.size(), text.find("\r\n\r\n")));
  });
  EXPECT_EQ(heard, "\r\n\r\n");
}

TEST(TunnelReception, ClosesWithoutANoticeWhenTheOriginIsDown) {
  Front front{[](Node&, Node& exit) { exit.options->decoy.origin.reset(); }};
  EXPECT_NE(answer_to(front, std::string{get}), page);
  // A peer comes in all the same.
  EXPECT_EQ(answer_to(front, upgrade(good_ticket(front)), 12), "HTTP/1.1 101");
}

TEST(TunnelReception, ShowsAFolderWhenThereIsNoOrigin) {
  std::string name = (std::filesystem::temp_directory_path() / "village-site-XXXXXX").string();
  const std::string folder = ::mkdtemp(name.data());
  std::filesystem::create_directory(folder + "/sub");
  std::ofstream{folder + "/index.html"} << "a page";
  std::ofstream{folder + "/sub/index.html"} << "another";
  std::ofstream{folder + "/.hidden"} << "not this";
  std::ofstream{folder + "/../" + std::filesystem::path{folder}.filename().string() + ".outside"}
      << "nor this";
  std::filesystem::create_symlink(folder + ".outside", folder + "/link");
  {
    Front front{[&](Node&, Node& exit) {
      exit.options->decoy.origin.reset();
      exit.options->decoy.directory = folder;
    }};
    const auto ask = [&](const std::string& path) {
      auto all = answer_to(front, "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 12);
      return all.substr(9, 3);
    };
    EXPECT_EQ(ask("/"), "200");
    EXPECT_EQ(ask("/sub/"), "200");
    EXPECT_EQ(ask("/sub/index.html"), "200");
    for (const auto* path : {"/nothing", "/.hidden", "/link", "/sub"}) EXPECT_EQ(ask(path), "404") << path;
    EXPECT_EQ(ask("/../" + std::filesystem::path{folder}.filename().string() + ".outside"), "400");
    EXPECT_EQ(answer_to(front, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 12), "HTTP/1.1 405");
    EXPECT_EQ(answer_to(front, "garbage\r\n\r\n", 12), "HTTP/1.1 400");
    EXPECT_EQ(answer_to(front, upgrade(std::string(180, 'A')), 12), "HTTP/1.1 404");
    EXPECT_EQ(answer_to(front, upgrade(good_ticket(front)), 12), "HTTP/1.1 101");
  }
  std::filesystem::remove_all(folder);
  std::filesystem::remove(folder + ".outside");
}

TEST(TunnelReception, AFolderAnswersAThousandRequestsOfAConnection) {
  std::string name = (std::filesystem::temp_directory_path() / "village-site-XXXXXX").string();
  const std::string folder = ::mkdtemp(name.data());
  Front front{[&](Node&, Node& exit) {
    exit.options->decoy.origin.reset();
    exit.options->decoy.directory = folder;
  }};
  std::filesystem::remove_all(folder);
  const auto answers = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<int> {
    auto tls = co_await knock(core, front.exit());
    if (!tls) co_return -1;
    std::string all;
    for (int i = 0; i < 1'005; ++i) all += get;
    (void)co_await (*tls)->write_all(as_bytes(all));
    auto said = co_await read_all(**tls);
    if (!said) co_return -2;
    int count = 0;
    const auto text = as_text(*said);
    for (auto at = text.find("HTTP/1.1 404"); at != text.npos; at = text.find("HTTP/1.1 404", at + 1))
      ++count;
    co_return count;
  });
  EXPECT_EQ(answers, 1'000);
}

TEST(TunnelReception, SharesPlacesAmongNetworks) {
  Front front{[](Node&, Node& exit) { exit.options->decoy.connections_share_max = 3; }};
  const auto counted = metric("villaged_htx_decoy_refused_total", "reason=\"share\"");
  const auto served = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<int> {
    std::vector<std::unique_ptr<net::TlsStream>> held;
    int answered = 0;
    for (int i = 0; i < 6; ++i) {
      auto tls = co_await knock(core, front.exit());
      if (!tls) continue;
      auto answer = co_await say(**tls, std::string{get}, page.size());
      if (answer) ++answered;
      held.push_back(std::move(*tls));
    }
    co_return answered;
  });
  EXPECT_EQ(served, 3);
  EXPECT_EQ(metric("villaged_htx_decoy_refused_total", "reason=\"share\"") - counted, 3);
  EXPECT_EQ(answer_to(front, upgrade(good_ticket(front)), 12), "HTTP/1.1 101");
}

TEST(TunnelReception, BoundsThoseWhoHaveNoSeat) {
  Front front{[](Node&, Node& exit) {
    exit.options->decoy.connections_share_max = 1;
    exit.options->handshakes_max = 6;  // half of them for one wide network
    exit.options->handshake_timeout = 60s;
  }};
  const auto in = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<std::size_t> {
    std::vector<std::unique_ptr<net::TlsStream>> silent;
    for (int i = 0; i < 12; ++i) {
      auto tls = co_await knock(core, front.exit());
      if (tls) silent.push_back(std::move(*tls));
    }
    co_return silent.size();
  });
  EXPECT_GE(in, 1U);
  EXPECT_LE(in, 1U + 3U);
}

TEST(TunnelReception, TellsItsOwnUserWhatTheServerSaid) {
  Front front{[](Node& entry, Node&) { entry.options->peers.front().upgrade.path = "/elsewhere"; }};
  EXPECT_EQ(dial_error(front.world, front.entry(), "exit", front.world.echo(), 3s).code, Errc::denied);
}

TEST(TunnelReceptionSoak, BoundsTenThousandSlowPeers) {
  constexpr int crowd = 10'000, each_share = 400;
  Front front{[](Node&, Node& exit) {
    exit.options->decoy.connections_max = 500;
    exit.options->decoy.connections_share_max = each_share;
    exit.options->handshake_timeout = 2s;
  }};
  const auto most = front.world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<std::int64_t> {
    std::list<std::unique_ptr<net::TlsStream>> held;
    std::int64_t open = 0;
    for (int i = 0; i < crowd; ++i) {
      auto tls = co_await knock(core, front.exit());
      if (!tls) continue;
      (void)co_await (*tls)->write_all(as_bytes(std::string_view{"GET /w"}));
      held.push_back(std::move(*tls));
      if (held.size() > 1'000) held.pop_front();
      open = std::max(open, metric("villaged_htx_decoy_connections", ""));
    }
    co_return open;
  });
  EXPECT_LE(most, each_share);
  EXPECT_GT(most, 0);
  // Those without a seat hold places for handshakes until their end is noticed.
  std::string answer;
  for (int i = 0; i < 100 && answer != "HTTP/1.1 101"; ++i)
    answer = answer_to(front, upgrade(good_ticket(front)), 12);
  EXPECT_EQ(answer, "HTTP/1.1 101");
}

}  // namespace
}  // namespace village::test
