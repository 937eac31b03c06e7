#include "service/accept_turns.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "village/base/random.hpp"
#include "village/base/target.hpp"

namespace village::service {
namespace {

net::Ip ip(unsigned a, unsigned b, unsigned c, unsigned d) {
  return Ipv4Address{static_cast<std::byte>(a), static_cast<std::byte>(b), static_cast<std::byte>(c),
                     static_cast<std::byte>(d)};
}

TEST(AcceptTurns, GoRoundByWideThenNearNetworksThenArrival) {
  AcceptTurns turns;
  const auto a = turns.wait(ip(127, 1, 7, 1)), b = turns.wait(ip(127, 1, 7, 2));
  const auto c = turns.wait(ip(127, 1, 7, 1)), d = turns.wait(ip(127, 1, 9, 1));
  const auto e = turns.wait(ip(10, 2, 3, 4));
  std::vector<AcceptTurns::Id> order;
  while (const auto next = turns.next()) order.push_back(*next);
  EXPECT_EQ(order, (std::vector{a, e, d, b, c}));
  EXPECT_EQ(turns.waiting(), 0U);
}

TEST(AcceptTurns, ACrowdDelaysAnotherNetworkByOneTurn) {
  AcceptTurns turns;
  SeededRandom random{1};
  for (int i = 0; i < 1'000; ++i) {
    turns.wait(
        ip(127, 1, static_cast<unsigned>(random.below(256)), static_cast<unsigned>(random.below(256))));
  }
  const auto honest = turns.wait(ip(127, 200, 1, 1));
  EXPECT_NE(turns.next(), honest);
  EXPECT_EQ(turns.next(), honest);
  EXPECT_EQ(turns.waiting(), 999U);
}

TEST(AcceptTurns, MappedAddressesAreTheirNetworks) {
  AcceptTurns turns;
  Ipv6Address mapped{};
  mapped[10] = mapped[11] = std::byte{0xFF};
  mapped[12] = std::byte{127};
  mapped[13] = std::byte{1};
  const auto a = turns.wait(ip(127, 1, 1, 1)), b = turns.wait(mapped), c = turns.wait(ip(127, 2, 1, 1));
  EXPECT_EQ(turns.next(), a);
  EXPECT_EQ(turns.next(), c);
  EXPECT_EQ(turns.next(), b);
}

// Whatever comes and goes: nobody is lost or served twice, and a network that waits all the time is passed by
// no other twice.
TEST(AcceptTurns, ServeEverybodyOnceAndNoNetworkTwiceBeforeAnother) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random{seed};
    AcceptTurns turns;
    std::map<AcceptTurns::Id, unsigned> waiting;
    std::map<unsigned, std::map<unsigned, int>> passed;  // [waits][other]: turns since it began or was served
    const auto waits = [&](unsigned network) {
      for (const auto& [id, other] : waiting) {
        if (other == network) return true;
      }
      return false;
    };
    for (int step = 0; step < 2'000; ++step) {
      const auto what = random.below(10);
      if (what < 5) {
        const auto network = static_cast<unsigned>(random.below(8));
        if (!waits(network)) passed.erase(network);
        const auto id = turns.wait(ip(10, network, static_cast<unsigned>(random.below(3)), 1));
        EXPECT_TRUE(waiting.emplace(id, network).second);
      } else if (what < 6 && !waiting.empty()) {
        auto gone = std::next(waiting.begin(), static_cast<std::ptrdiff_t>(random.below(waiting.size())));
        turns.leave(gone->first);
        turns.leave(gone->first);
        const auto network = gone->second;
        waiting.erase(gone);
        if (!waits(network)) passed.erase(network);
      } else {
        const auto id = turns.next();
        ASSERT_EQ(id.has_value(), !waiting.empty()) << "seed " << seed;
        if (!id) continue;
        const auto served = waiting.find(*id);
        ASSERT_NE(served, waiting.end()) << "seed " << seed;
        const auto network = served->second;
        waiting.erase(served);
        passed.erase(network);
        for (unsigned other = 0; other < 8; ++other) {
          if (other != network && waits(other)) {
            EXPECT_LE(++passed[other][network], 1) << "seed " << seed;
          }
        }
      }
      ASSERT_EQ(turns.waiting(), waiting.size()) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace village::service
