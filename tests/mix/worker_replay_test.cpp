// Replays by the million, also across kill -9.
#include <gtest/gtest.h>

#include "mix/worker_world.hpp"

namespace village::mix {
namespace {

using test::NodeWorld;
using Tags = std::vector<Fingerprint>;

class Kept final : public ReplayJournal {
 public:
  explicit Kept(Tags& tags) : tags_{tags} {}
  bool append(std::span<const Fingerprint> tags) override {
    tags_.insert(tags_.end(), tags.begin(), tags.end());
    return true;
  }

 private:
  Tags& tags_;
};

/// boot gives the node's worker the shard that a new process finds.
void boot(NodeWorld& node, Tags& kept) {
  ReplayFilter filter{1, 100'000};
  for (const auto tag : kept) ASSERT_TRUE(filter.restore(tag));
  node.workers[0] = std::make_unique<Worker>(node.options, node.mesh, 0, node.random, node.now);
  std::vector<RouteTable::Route> routes;
  for (NeighbourIndex i = 0; i < NodeWorld::neighbours; ++i) routes.push_back({test::address_of(i), i});
  node.workers[0]->set_routes(std::make_shared<RouteTable>(routes, node.random));
  auto shard = std::make_unique<ReplayShard>(std::move(filter), std::make_unique<Kept>(kept));
  ASSERT_TRUE(node.workers[0]->install(node.keys.find(node.epoch), std::move(shard)));
}

void replay(std::size_t distinct, std::size_t replays) {
  NodeWorld node;
  Tags kept;
  boot(node, kept);
  std::vector<Bytes> frames;
  for (std::size_t i = 0; i < distinct; ++i) frames.push_back(node.frame({0, 1, false, {}}));
  std::size_t passed = 0, dropped = 0, killed = 0;
  SeededRandom random{99};
  for (std::size_t i = 0; i < distinct + replays; ++i) {
    auto frame = frames[i < distinct ? i : random.below(distinct)];
    if (i >= distinct && i % 3 == 0) frame[frame_header_bytes + 31] ^= std::byte{0x80};
    if (i >= distinct && i % 5 == 0) frame[1'700] ^= std::byte{1};
    ASSERT_TRUE(node.submit(frame));
    if (!node.workers[0]->batch_full() && i + 1 < distinct + replays) continue;
    node.pass(300us);
    if (i + 1 == distinct + replays) node.pass(1ms);
    node.workers[0]->run(node.now);
    passed += node.sent().size();
    if (i > distinct && random.below(200) == 0) {  // kill -9 between two batches
      dropped += node.workers[0]->counters().drops[Drop::replay];
      boot(node, kept);
      ++killed;
    }
  }
  dropped += node.drops(Drop::replay);
  EXPECT_EQ(passed, distinct);
  EXPECT_EQ(dropped, replays);
  EXPECT_EQ(kept.size(), distinct);
  EXPECT_GT(killed, 0U);
}

TEST(WorkerReplay, PassesNoneOfManyAlsoAcrossKills) { replay(1'000, 50'000); }

TEST(WorkerReplaySoak, PassesNoneOfAMillionAlsoAcrossKills) { replay(20'000, 1'000'000); }

}  // namespace
}  // namespace village::mix
