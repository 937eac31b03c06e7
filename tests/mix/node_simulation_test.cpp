// A failure names its seed; VILLAGE_SEED runs that one alone.
#include "mix/node_simulation.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace village::mix {
namespace {

using test::Simulation;
using test::SimulationOutcome;
using test::SimulationPlan;

constexpr std::uint64_t soak_seeds = 200;

void expect_sound(const SimulationOutcome& outcome) {
  EXPECT_TRUE(outcome.balanced);
  EXPECT_EQ(outcome.delivered_twice, 0U);
  EXPECT_EQ(outcome.inside, 0U);
  // Every frame that ever was came to an end that somebody counted.
  EXPECT_EQ(outcome.sent + outcome.repeated,
            outcome.delivered + outcome.drops.total() + outcome.lost_in_network + outcome.lost_in_crashes);
}

void run_seeds(std::uint64_t first, std::uint64_t count) {
  if (const char* one = std::getenv("VILLAGE_SEED")) {
    first = std::strtoull(one, nullptr, 10);
    count = 1;
  }
  SimulationOutcome sum;
  for (auto seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SimulationPlan plan;
    plan.seed = seed;
    const auto outcome = Simulation{plan}.run();
    expect_sound(outcome);
    sum.sent += outcome.sent;
    sum.delivered += outcome.delivered;
    sum.crashes += outcome.crashes;
    sum.power_cuts += outcome.power_cuts;
    sum.repeated += outcome.repeated;
    for (std::size_t i = 0; i < drop_count; ++i) sum.drops.by_reason[i] += outcome.drops.by_reason[i];
    if (testing::Test::HasFailure()) break;
  }
  if (count < 5) return;
  EXPECT_GT(sum.delivered * 3, sum.sent);  // much comes through all that
  EXPECT_GT(sum.crashes, count);
  EXPECT_GT(sum.power_cuts, 0U);
  EXPECT_GT(sum.repeated, count);
  EXPECT_GT(sum.drops[Drop::replay], count);
  EXPECT_GT(sum.drops[Drop::mac], 0U);
  EXPECT_GT(sum.drops[Drop::ring], 0U);
}

TEST(NodeSimulation, LosesNothingWithoutFaultsAcrossEpochs) {
  SimulationPlan plan;
  plan.faults = false;
  const auto outcome = Simulation{plan}.run();
  expect_sound(outcome);
  EXPECT_EQ(outcome.delivered, plan.messages);
  EXPECT_EQ(outcome.drops.total(), 0U);
}

TEST(NodeSimulation, DeliversNothingTwiceAndLosesOnlyWhatIsCounted) { run_seeds(1, soak_seeds / 20); }

TEST(NodeSimulationSoak, DeliversNothingTwiceAndLosesOnlyWhatIsCounted) { run_seeds(1'000, soak_seeds); }

}  // namespace
}  // namespace village::mix
