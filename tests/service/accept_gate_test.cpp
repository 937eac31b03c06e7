// Handshakes that are all ready at once: a network that is no part of the crowd must be served among the
// first.
#include <gtest/gtest.h>
#include <poll.h>

#include <future>
#include <thread>

#include "blocking_client.hpp"
#include "tunnel_world.hpp"
#include "village/net/tls.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using service::Outer;

/// Caller is a TCP connection from an address of 127.0.0.0/8.
class Caller : public service::test::BlockingSocket {
 public:
  Caller(const net::Endpoint& remote, Ipv4Address from) : BlockingSocket{remote, SOCK_STREAM} {
    const auto [own, own_size] = service::test::to_sockaddr({from, 0});
    const auto [address, size] = service::test::to_sockaddr(remote);
    connected_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&own), own_size) == 0 &&
                 ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0;
  }
  bool connected() const { return connected_; }
  bool send(ByteView bytes) const {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  bool heard(int patience_ms = 0) const {
    pollfd poll{fd_, POLLIN, 0};
    return ::poll(&poll, 1, patience_ms) > 0;
  }

 private:
  bool connected_ = false;
};

/// hello records what a TLS client says first.
Bytes hello(TunnelWorld& world) {
  std::promise<Bytes> said;
  const auto listener = world.serve([&said](net::Core&, net::StreamPtr stream) -> asio_void {
    Bytes buffer(4'096);
    const auto got = co_await stream->read_some(buffer);
    buffer.resize(got ? *got : 0);
    said.set_value(std::move(buffer));
  });
  world.run(clients, [&](net::Core& core) -> asio_void {
    net::TcpDialer dialer{core};
    auto dialed = co_await dialer.dial(listener, net::after(core, 10s));
    if (!dialed) co_return;
    auto context = net::TlsClientContext::make(net::TlsClientOptions{{"http/1.1"}, net::TlsVersion::v1_3});
    net::TlsServerName server;
    server.sni = "a.example";
    server.trust.pin = crypto::SpkiPin{};
    (void)co_await net::TlsStream::connect(core, std::move(*dialed), *context, std::move(server),
                                           net::after(core, 10s));
  });
  return said.get_future().get();
}

TEST(AcceptGate, ACrowdsHandshakesDoNotGoBeforeAnotherNetworks) {
  constexpr int crowd = 100;
  TunnelWorld world;
  const auto pair =
      world.pair(Outer::tls, [&](Node& entry, Node& exit) { world.asks_for_tickets(exit, entry); });
  const auto first = hello(world);
  ASSERT_GT(first.size(), 100U);
  const auto remote = net::parse_endpoint(to_text(pair.exit.address)).value();
  const auto any = [](int i) { return static_cast<std::byte>(1 + i % 250); };
  std::vector<Caller> strangers;
  for (int i = 0; i < crowd; ++i)
    strangers.emplace_back(remote, Ipv4Address{std::byte{127}, std::byte{1}, any(i), any(i / 3)});
  const Caller honest{remote, Ipv4Address{std::byte{127}, std::byte{200}, std::byte{3}, std::byte{4}}};
  for (const auto& each : strangers) ASSERT_TRUE(each.connected());
  ASSERT_TRUE(honest.connected());
  EXPECT_TRUE(
      world.until(servers, [] { return metric("villaged_htx_handshakes_pending", "") == crowd + 1; }));

  // The core stands still until everybody has said his hello, the honest one last.
  std::promise<void> stands, goes_on;
  std::thread standstill{[&] {
    world.run(servers, [&](net::Core&) -> asio_void {
      stands.set_value();
      goes_on.get_future().wait();
      co_return;
    });
  }};
  stands.get_future().wait();
  bool said = true;
  for (const auto& each : strangers) said = said && each.send(first);
  said = said && honest.send(first);
  goes_on.set_value();
  ASSERT_TRUE(honest.heard(20'000));
  int before = 0;
  for (const auto& each : strangers) before += each.heard() ? 1 : 0;
  standstill.join();
  EXPECT_TRUE(said);
  EXPECT_LT(before, crowd / 2);
  for (const auto& each : strangers) EXPECT_TRUE(each.heard(20'000));  // and nobody is forgotten
  std::printf("%d of %d strangers went before\n", before, crowd);
  world.stop(pair.entry);
  world.stop(pair.exit);
}

}  // namespace
}  // namespace village::test
