#include "village/mix/node_keys.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"
#include "village/mix/route_table.hpp"

namespace village::mix {
namespace {

struct Keys : testing::Test {
  Keys() : keys{Epochs{30s, 5s}, crypto::VrfKeyPair::generate(random)} {}
  Instant at(WallTime wall) const { return Instant{wall.time_since_epoch()}; }  // clocks that agree
  SeededRandom random{1};
  NodeKeys keys;
};

TEST_F(Keys, AreMadeOnceForAnEpoch) {
  const auto first = keys.generate(10, random);
  EXPECT_EQ(first->epoch, 10U);
  EXPECT_EQ(keys.generate(10, random), first);
  EXPECT_NE(keys.generate(11, random)->sphinx_public, first->sphinx_public);
  EXPECT_EQ(keys.find(12), nullptr);
  EXPECT_EQ(keys.epochs(), (std::vector<Epoch>{10, 11}));
  const auto same = keys.add(12, first->sphinx_private.clone());
  EXPECT_EQ(same->sphinx_public, first->sphinx_public);
  EXPECT_FALSE(equal(same->delay_key, first->delay_key));
}

TEST_F(Keys, ExpireBehindTheirOverlap) {
  for (const Epoch epoch : std::initializer_list<Epoch>{10, 11, 12}) keys.generate(epoch, random);
  auto wall = WallTime{335s - 1ns};
  EXPECT_TRUE(keys.expire(at(wall), wall).empty());
  wall = WallTime{335s};
  EXPECT_EQ(keys.expire(at(wall), wall), std::vector<Epoch>{10});
  EXPECT_EQ(keys.find(10), nullptr);
  EXPECT_NE(keys.find(11), nullptr);
}

TEST_F(Keys, OutliveAClockThatJumpsAheadForAMoment) {
  for (const Epoch epoch : std::initializer_list<Epoch>{10, 11}) keys.generate(epoch, random);
  EXPECT_TRUE(keys.expire(Instant{1h}, WallTime{310s}).empty());
  EXPECT_TRUE(keys.expire(Instant{1h + 1s}, WallTime{24h}).empty());
  EXPECT_TRUE(keys.expire(Instant{1h + 2s}, WallTime{312s}).empty());
  EXPECT_EQ(keys.expire(Instant{1h + 30s}, WallTime{340s}), std::vector<Epoch>{10});
}

TEST_F(Keys, DieOfAClockThatStaysAhead) {
  keys.generate(10, random);
  EXPECT_TRUE(keys.expire(Instant{1h}, WallTime{310s}).empty());
  EXPECT_TRUE(keys.expire(Instant{1h + 1s}, WallTime{24h}).empty());
  EXPECT_EQ(keys.expire(Instant{1h + 1s} + NodeKeys::clock_patience, WallTime{24h} + NodeKeys::clock_patience)
                .size(),
            1U);
}

TEST_F(Keys, AreWipedWhenTheLastHolderLetsGo) {
  std::weak_ptr<const EpochKeys> watched = keys.generate(10, random);
  auto held = watched.lock();
  const auto wall = WallTime{1h};
  EXPECT_EQ(keys.expire(at(wall), wall).size(), 1U);
  EXPECT_FALSE(watched.expired());
  held.reset();
  EXPECT_TRUE(watched.expired());
}

TEST_F(Keys, PublishTheProofOnceTheLastPacketHasLeft) {
  const auto made = keys.generate(10, random);
  const auto over = WallTime{330s + 5s + 10s};
  EXPECT_EQ(keys.publishable(10, over, 10s), std::nullopt);  // its key could still open packets
  keys.expire(at(over), over);
  EXPECT_EQ(keys.publishable(10, over - 1ns, 10s), std::nullopt);
  const auto published = keys.publishable(10, over, 10s);
  ASSERT_TRUE(published);
  const auto audit = DelayAudit::open(keys.vrf_public(), *published);
  ASSERT_TRUE(audit);
  sphinx::ReplayTag tag{};
  random.fill(tag);
  EXPECT_EQ(audit->delay(tag, {}), vrf_delay({}, unit_of_tag(made->delay_key.view(), tag)));
  EXPECT_EQ(keys.publishable(11, over, 10s), std::nullopt);
}

TEST(RouteTable, FindsWhatIsInIt) {
  SeededRandom random{2};
  std::vector<RouteTable::Route> routes;
  for (NeighbourIndex i = 0; i < 1'000; ++i) {
    sphinx::NodeAddress address;
    random.fill(address);
    routes.push_back({address, i});
  }
  routes.push_back({routes[7].address, 3'000});
  const RouteTable table{routes, random};
  EXPECT_EQ(table.size(), 1'000U);
  for (NeighbourIndex i = 0; i < 1'000; ++i) EXPECT_EQ(table.find(routes[i].address), i == 7 ? 3'000 : i);
  sphinx::NodeAddress other;
  random.fill(other);
  EXPECT_EQ(table.find(other), std::nullopt);
  EXPECT_EQ(RouteTable{}.find(other), std::nullopt);
}

}  // namespace
}  // namespace village::mix
