#include "village/net/udp.hpp"

#include <random>

#include "net/metrics.hpp"
#include "net/support.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::OneCore;
using test::pattern;
using test::value_of;

struct Case {
  bool gso, gro;
};

class UdpSocketPaths : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Kernel, UdpSocketPaths,
                         ::testing::Values(Case{true, true}, Case{true, false}, Case{false, true},
                                           Case{false, false}),
                         [](const auto& instance) {
                           return std::string{instance.param.gso ? "gso" : "plain"} + "_to_" +
                                  (instance.param.gro ? "gro" : "plain");
                         });

/// collect receives until `count` datagrams are there or nothing comes for a second.
asio::awaitable<std::vector<Bytes>> collect(Core& core, UdpSocket& socket, UdpBatch& batch,
                                            std::size_t count) {
  std::vector<Bytes> all;
  while (all.size() < count) {
    const auto ready = co_await with_deadline(core, socket.wait_readable(), after(core, 1s));
    if (ready.has_error()) break;
    const auto got = socket.receive(batch);
    if (got.has_error()) break;
    for (const auto& datagram : batch.datagrams()) all.push_back(to_bytes(datagram.payload));
  }
  co_return all;
}

TEST_P(UdpSocketPaths, EveryDatagramArrivesWholeAndInOrder) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    UdpOptions options;
    options.gso = GetParam().gso;
    options.gro = GetParam().gro;
    for (const auto& where : {loopback_v4(), loopback_v6()}) {
      auto sender = *UdpSocket::bind(core, where, options);
      auto receiver = *UdpSocket::bind(core, where, options);
      EXPECT_EQ(sender->gso(), GetParam().gso);
      EXPECT_EQ(receiver->gro(), GetParam().gro);
      // Runs of equal size with shorter, empty and larger ones between: groups must begin and end in the
      // right places.
      std::vector<Bytes> sent;
      for (const std::size_t size : {1200u, 1200u, 1200u, 700u, 0u, 1u, 1u, 1452u, 60'000u, 1452u}) {
        // Few enough for the receive buffer that an ordinary user gets (208 KiB).
        for (std::size_t i = 0; i < (size < 2000 ? 6u : 1u); ++i) sent.push_back(pattern(size, sent.size()));
      }
      std::vector<Datagram> out;
      for (const auto& bytes : sent) out.push_back({bytes, receiver->local()});
      Nursery nursery{core};
      nursery.spawn([&]() -> asio::awaitable<void> {
        const auto result = co_await sender->send_all(out);
        EXPECT_TRUE(result.has_value());
      });
      UdpBatch batch;
      const auto got = co_await collect(core, *receiver, batch, sent.size());
      EXPECT_EQ(got.size(), sent.size());
      EXPECT_TRUE(got == sent);
      co_await nursery.join();
    }
  });
}

TEST(UdpSocket, SeveralPeersInOneBatch) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto sender = *UdpSocket::bind(core, loopback_v4());
    auto first = *UdpSocket::bind(core, loopback_v4());
    auto second = *UdpSocket::bind(core, loopback_v4());
    const auto payload = pattern(500);
    std::vector<Datagram> out;
    for (int i = 0; i < 10; ++i) out.push_back({payload, i % 3 == 0 ? second->local() : first->local()});
    const auto sent = sender->send(out);
    EXPECT_EQ(value_of(sent), 10u);
    UdpBatch batch;
    const auto at_first = co_await collect(core, *first, batch, 6);
    const auto at_second = co_await collect(core, *second, batch, 4);
    EXPECT_EQ(at_first.size(), 6u);
    EXPECT_EQ(at_second.size(), 4u);
    EXPECT_EQ(batch.datagrams().front().peer, sender->local());
  });
}

TEST(UdpSocket, NothingThereIsZero) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto socket = *UdpSocket::bind(core, loopback_v4());
    UdpBatch batch;
    const auto got = socket->receive(batch);
    EXPECT_EQ(value_of(got, std::size_t{9}), 0u);
    EXPECT_TRUE(batch.datagrams().empty());
    co_return;
  });
}

TEST(UdpSocket, TooLongForTheSlotIsDroppedAndCounted) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    UdpOptions plain;
    plain.gro = plain.gso = false;
    auto sender = *UdpSocket::bind(core, loopback_v4(), plain);
    auto receiver = *UdpSocket::bind(core, loopback_v4(), plain);
    const auto before = metric::udp_dropped_long.total();
    const auto long_one = pattern(3000), short_one = pattern(100);
    const std::array<Datagram, 2> out{Datagram{long_one, receiver->local()},
                                      Datagram{short_one, receiver->local()}};
    EXPECT_EQ(value_of(sender->send(out)), 2u);
    UdpBatch batch{8, 2048};
    const auto got = co_await collect(core, *receiver, batch, 1);
    EXPECT_EQ(got.size(), 1u);
    EXPECT_TRUE(got.front() == short_one);
    EXPECT_EQ(metric::udp_dropped_long.total(), before + 1);
  });
}

TEST(UdpSocket, RefusedDatagramIsDroppedAndTheRestGoesOut) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto sender = *UdpSocket::bind(core, loopback_v4());
    auto receiver = *UdpSocket::bind(core, loopback_v4());
    const auto before = metric::udp_dropped_refused.total();
    const auto too_long = pattern(65'508), fine = pattern(10);
    const std::array<Datagram, 3> out{Datagram{fine, receiver->local()},
                                      Datagram{too_long, receiver->local()},
                                      Datagram{fine, receiver->local()}};
    EXPECT_EQ(value_of(sender->send(out)), 3u);
    UdpBatch batch;
    const auto got = co_await collect(core, *receiver, batch, 2);
    EXPECT_EQ(got.size(), 2u);
    EXPECT_EQ(metric::udp_dropped_refused.total(), before + 1);
  });
}

TEST(UdpSocket, PortIsExclusiveUnlessShared) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto first = *UdpSocket::bind(core, loopback_v4());
    EXPECT_EQ(code_of(UdpSocket::bind(core, first->local())), Errc::already_exists);
    UdpOptions shared;
    shared.reuse_port = true;
    auto second = *UdpSocket::bind(core, loopback_v4(), shared);
    EXPECT_TRUE(UdpSocket::bind(core, second->local(), shared).has_value());
    co_return;
  });
}

TEST(UdpSocket, CloseAndCancelEndAWait) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto socket = *UdpSocket::bind(core, loopback_v4());
    Nursery nursery{core};
    std::optional<Errc> seen;
    nursery.spawn([&]() -> asio::awaitable<void> {
      const auto ready = co_await socket->wait_readable();
      seen = code_of(ready);
    });
    (void)co_await sleep_until(core, after(core, 1ms));
    socket->close();
    co_await nursery.join();
    EXPECT_EQ(seen, Errc::cancelled);
    UdpBatch batch;
    EXPECT_EQ(code_of(socket->receive(batch)), Errc::closed);
    const auto later = co_await socket->wait_readable();
    EXPECT_EQ(code_of(later), Errc::closed);
  });
}

}  // namespace
}  // namespace village::net
