// The small parts of the tunnel, alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "service/receive_queue.hpp"
#include "service/signal.hpp"
#include "service/tunnel_peer.hpp"
#include "service/tunnel_way_in.hpp"
#include "tunnel_world.hpp"
#include "village/service/connection_places.hpp"
#include "village/service/exit_policy.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using namespace service;

TEST(ReceiveQueue, GivesBackWhatWasPutInWhateverThePieces) {
  SeededRandom random{7};
  for (int round = 0; round < 10; ++round) {
    ReceiveQueue queue;
    std::deque<std::byte> model;
    for (int step = 0; step < 200; ++step) {
      const auto data = pattern(random.below(40'000), random.next());
      queue.append(data);
      model.insert(model.end(), data.begin(), data.end());
      Bytes out(random.below(60'000) + 1);
      const auto taken = queue.take(out);
      ASSERT_EQ(taken, std::min(out.size(), model.size()));
      ASSERT_TRUE(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(taken), model.begin()));
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(taken));
      ASSERT_EQ(queue.size(), model.size());
      ASSERT_EQ(queue.empty(), model.empty());
    }
  }
}

TEST(Signal, WakesItsWaiter) {
  net::Runtime runtime{1};
  runtime.start();
  const bool woken = runtime.call(0, [](net::Core& core) -> boost::asio::awaitable<bool> {
    Signal signal;
    bool condition = false;
    net::Nursery other{core};
    other.spawn([&]() -> asio_void {
      condition = true;
      signal.notify();
      EXPECT_FALSE(signal.waiting());
      co_return;
    });
    while (!condition) {
      const auto result = co_await signal.wait();
      if (!result) co_return false;
    }
    co_await other.join();
    co_return true;
  });
  EXPECT_TRUE(woken);
}

TEST(Signal, EndsWhenTheWaiterIsCancelled) {
  net::Runtime runtime{1};
  runtime.start();
  runtime.call(0, [](net::Core& core) -> asio_void {
    Signal signal;
    Errc first{}, second{};
    net::Nursery waiter{core};
    waiter.spawn([&]() -> asio_void {
      const auto a = co_await signal.wait();
      first = code_of(a);
      const auto b = co_await signal.wait();  // cancellation sticks
      second = code_of(b);
    });
    EXPECT_TRUE(signal.waiting());
    waiter.cancel();
    co_await waiter.join();
    EXPECT_EQ(first, Errc::cancelled);
    EXPECT_EQ(second, Errc::cancelled);
    EXPECT_FALSE(signal.waiting());
    signal.notify();
  });
}

TEST(Signal, MayBeWokenAndCancelledAtOnce) {
  net::Runtime runtime{1};
  runtime.start();
  runtime.call(0, [](net::Core& core) -> asio_void {
    for (int i = 0; i < 2; ++i) {
      auto signal = std::make_unique<Signal>();
      net::Nursery waiter{core};
      waiter.spawn([&]() -> asio_void { (void)co_await signal->wait(); });
      if (i == 0) signal->notify();
      waiter.cancel();
      if (i == 1) signal->notify();
      signal.reset();  // the resumption is on its way and needs the signal no more
      co_await waiter.join();
    }
  });
}

TEST(Backoff, IsFullJitterUnderADoublingCap) {
  SeededRandom random{3};
  for (unsigned failures = 1; failures < 80; ++failures) {
    const auto cap = std::min<Duration>(120s, 500ms * (std::int64_t{1} << std::min(failures - 1, 20U)));
    Duration most{0};
    for (int i = 0; i < 200; ++i) {
      const auto pause = backoff(failures, 500ms, 120s, random);
      ASSERT_GE(pause, Duration{0});
      ASSERT_LE(pause, cap);
      most = std::max(most, pause);
    }
    EXPECT_GT(most, cap * 8 / 10) << failures;
  }
}

TEST(ChooseSuite, TakesTheFirstThatTheCpuDoesFast) {
  using htx::Suite;
  const auto choose = [](std::vector<Suite> offered, bool aes) { return choose_suite(offered, aes); };
  EXPECT_EQ(*choose({Suite::xk_aesgcm_sha256, Suite::xk_chacha_sha256}, true), Suite::xk_aesgcm_sha256);
  EXPECT_EQ(*choose({Suite::xk_aesgcm_sha256, Suite::xk_chacha_sha256}, false), Suite::xk_chacha_sha256);
  EXPECT_EQ(*choose({Suite::xk_chacha_sha256, Suite::xk_aesgcm_sha256}, true), Suite::xk_chacha_sha256);
  EXPECT_EQ(*choose({Suite::xk_aesgcm_sha256}, false), Suite::xk_aesgcm_sha256);
  EXPECT_EQ(*choose({Suite::xkhfs_aesgcm_sha256, Suite::xkhfs_chacha_sha256}, false),
            Suite::xkhfs_chacha_sha256);
  EXPECT_EQ(*choose({Suite::xkhfs_aesgcm_sha256, Suite::xk_chacha_sha256}, false),
            Suite::xkhfs_aesgcm_sha256);
  EXPECT_EQ(code_of(choose({}, true)), Errc::unsupported);
  EXPECT_EQ(code_of(choose({Suite::xkpsk3_chacha_sha256, static_cast<Suite>(99)}, true)), Errc::unsupported);
}

TEST(AllowedSuites, RequiringPostQuantumLeavesTheHybrids) {
  using htx::Suite;
  TunnelOptions options;
  TunnelPeer peer;
  EXPECT_THAT(peer.suites, testing::ElementsAre(Suite::xkhfs_aesgcm_sha256, Suite::xkhfs_chacha_sha256));
  peer.suites = {Suite::xk_aesgcm_sha256, Suite::xkhfs_chacha_sha256, Suite::xk_chacha_sha256};
  EXPECT_EQ(allowed_suites(options, peer), peer.suites);
  options.require_pq = true;
  EXPECT_THAT(allowed_suites(options, peer), testing::ElementsAre(Suite::xkhfs_chacha_sha256));
}

TEST(ExitPolicy, AllowsWhatTheOperatorAllowed) {
  const net::Ip outside{Ipv4Address{std::byte{93}, std::byte{184}, std::byte{216}, std::byte{34}}};
  const net::Ip inside{Ipv4Address{std::byte{10}, std::byte{1}, std::byte{2}, std::byte{3}}};
  const auto loopback = net::loopback_v6().ip;
  Ipv6Address mapped{};  // ::ffff:127.0.0.1
  mapped[10] = mapped[11] = std::byte{0xFF};
  mapped[12] = std::byte{127};
  mapped[15] = std::byte{1};
  const auto off = make_exit_policy({false, true});
  const auto on = make_exit_policy({true, false});
  const auto all = make_exit_policy({true, true});
  for (const auto& ip : {outside, inside, loopback, net::Ip{mapped}}) {
    EXPECT_FALSE(off(ip));
    EXPECT_TRUE(all(ip));
    EXPECT_EQ(on(ip), ip == outside);
  }
}

TEST(AddressShares, AreOfTheNetworkTheyAreFor) {
  const auto address = [](unsigned second, unsigned third, unsigned last) {
    return net::Ip{Ipv4Address{std::byte{127}, static_cast<std::byte>(second), static_cast<std::byte>(third),
                               static_cast<std::byte>(last)}};
  };
  service::AddressShares near{service::near_network}, wide{service::wide_network};
  const auto first = near.take(address(1, 1, 1), 1);
  EXPECT_TRUE(first);
  EXPECT_FALSE(near.take(address(1, 1, 2), 1));
  std::vector<service::Place> held;
  for (unsigned third = 0; third < 200; ++third) {  // a crowd over many /24 of one /16
    if (auto place = wide.take(address(1, third, 1), 50)) held.push_back(std::move(*place));
  }
  EXPECT_EQ(held.size(), 50U);
  auto other = wide.take(address(200, 1, 1), 51);  // 51: its cell may be the crowd's
  EXPECT_TRUE(other);
}

TEST(Place, IsGivenBackWithThoseJoinedToIt) {
  std::atomic<std::uint32_t> all{0}, part{0}, most{0};
  {
    auto place = service::Place::take(all, 1);
    ASSERT_TRUE(place);
    place->join(*service::Place::take(part, 1));
    place->join(*service::Place::take(most, 1));
    const auto moved = std::move(*place);
    EXPECT_EQ(all + part + most, 3U);
  }
  EXPECT_EQ(all + part + most, 0U);
}

}  // namespace
}  // namespace village::test
