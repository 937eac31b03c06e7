// Clients over a network that loses, repeats, delays and reorders, through epoch changes, crashes and new
// sessions: each message is received exactly once or reported failed. A failure prints its seed; VILLAGE_SEED
// replays one; VILLAGE_SEEDS and VILLAGE_SEED_FIRST say which the soak does.
#include <gtest/gtest.h>

#include <cstdlib>

#include "mix/client_network.hpp"

namespace village::mix {
namespace {

using test::ClientNetwork;
using test::NetworkOptions;

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// size draws mostly small messages; `largest` at times.
std::size_t draw_size(SeededRandom& random, std::size_t largest) {
  switch (random.below(4)) {
    case 0:
      return 1 + random.below(100);
    case 1:
      return 1 + random.below(3'000);
    case 2:
      return 1 + random.below(20'000);
    default:
      return 1 + random.below(largest);
  }
}

struct Plan {
  std::size_t messages = 8;
  std::size_t largest = 10'000;
  bool crashes = false;
  Duration quiet = 5s;  ///< at the end
};

NetworkOptions hostile(std::uint64_t seed) {
  SeededRandom random{seed};
  NetworkOptions options;
  options.seed = seed;
  options.loss = random.unit() * 0.05;
  options.repeat = random.unit() * 0.05;
  options.link_mean = 1ms + Duration{static_cast<Duration::rep>(random.unit() * 30e6)};
  options.epochs = {10s, 8s};
  options.parameters.client_mean = 25ms;
  options.parameters.delay_mean = 10ms + Duration{static_cast<Duration::rep>(random.unit() * 60e6)};
  options.payload_bytes = random.below(4) == 0 ? 2'065 : 1'700;
  return options;
}

/// run_one sends messages both ways and between all, with replies where blocks came, and holds reports
/// against receptions.
void run_one(std::uint64_t seed, const Plan& plan, NetworkOptions options) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  options.confirm = plan.crashes;
  ClientNetwork network{options};
  auto& random = network.random();
  for (std::size_t i = 0; i < 3; ++i) network.add_client(i % 2);
  std::size_t replies = 0;
  std::set<MessageId> answered;
  for (std::size_t i = 0; i < plan.messages; ++i) {
    const auto from = random.below(3), to = (from + 1 + random.below(2)) % 3;
    SendOptions send;
    send.replies = random.below(3) == 0 ? 1 + random.below(4) : 0;
    network.send(from, to, network.some(draw_size(random, plan.largest)), send);
    network.run_for(Duration{static_cast<Duration::rep>(random.unit() * 1.5e9)});
    for (const auto& [id, got] : network.received()) {
      if (got.message.replies == 0 || !answered.insert(id).second) continue;
      for (std::size_t user = 0; user < 3; ++user) {
        if (network.reply(user, id, network.some(1 + random.below(500)))) ++replies;
      }
    }
    if (plan.crashes && random.below(4) == 0) network.open_session(random.below(3));
  }
  ASSERT_TRUE(network.run_until_reported(30min));
  network.run_for(plan.quiet);  // nothing comes again
  network.check();
  EXPECT_GT(network.delivered().size(), 0U);
  if (testing::Test::HasFailure())
    ADD_FAILURE() << replies << " replies, " << network.lost() << " packets lost, " << network.late()
                  << " of an epoch past";
}

TEST(ClientSimulation, LosesAndRepeatsNothingUnreported) {
  if (const auto seed = environment("VILLAGE_SEED", 0)) return run_one(seed, {}, hostile(seed));
  for (std::uint64_t seed = 1; seed <= 2; ++seed) run_one(seed, {}, hostile(seed));
}

TEST(ClientSimulation, DeliversEverythingWhereNothingIsLost) {
  NetworkOptions options = hostile(7);
  options.loss = 0;
  options.epochs = {1h, 10s};
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  for (int i = 0; i < 12; ++i) network.send(alice, bob, network.some(draw_size(network.random(), 20'000)));
  ASSERT_TRUE(network.run_until_reported(5min));
  network.check();
  EXPECT_EQ(network.failed().size(), 0U);
  EXPECT_EQ(network.client(alice).outbox().retransmissions(), 0U);
}

TEST(ClientSimulation, KeepsItsPromisesOverNewSessions) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed)
    run_one(seed, {.messages = 12, .crashes = true}, hostile(seed));
}

TEST(ClientSimulation, LosesNothingWhenTheRecipientCrashes) {
  const std::uint64_t seed = 31;
  SCOPED_TRACE(seed);
  NetworkOptions options;
  options.seed = seed;
  options.confirm = true;
  options.parameters.client_mean = 15ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  for (int i = 0; i < 4; ++i) network.send(alice, bob, network.some(10'000 + network.random().below(20'000)));
  for (int i = 0; i < 5; ++i) {
    network.run_for(400ms);
    network.restart(bob);  // with half of the messages there
  }
  ASSERT_TRUE(network.run_until_reported(5min));
  network.run_for(10s);
  network.check();
  EXPECT_EQ(network.failed().size(), 0U);
  EXPECT_LT(network.mailbox(1).waiting(network.client(bob).id()), 10U)
      << "all but the latest loops is fetched";
}

TEST(ClientSimulation, GoesRoundAMixThatDied) {
  const std::uint64_t seed = 41;
  SCOPED_TRACE(seed);
  NetworkOptions options;
  options.seed = seed;
  options.parameters.client_mean = 10ms;
  ClientNetwork network{options};  // two mixes in each layer
  const auto alice = network.add_client(0), bob = network.add_client(1);
  for (int i = 0; i < 4; ++i) network.send(alice, bob, network.some(30'000));
  network.run_for(300ms);
  network.kill(2);
  for (int i = 0; i < 30; ++i) network.send(alice, bob, network.some(1 + network.random().below(5'000)));
  ASSERT_TRUE(network.run_until_reported(3min));
  network.check();
  EXPECT_EQ(network.failed().size(), 0U);
  EXPECT_EQ(network.client(alice).path_health().suspects(network.now()), 1U);
}

TEST(ClientSimulation, DeliversALargeMessageAlthoughAMixOfEachLayerDies) {
  const std::uint64_t seed = 43;
  SCOPED_TRACE(seed);
  NetworkOptions options;
  options.seed = seed;
  options.mixes = 12;  // four in each layer: 58 of 100 round trips meet one of the three that die
  options.parameters.client_mean = 5ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  const auto id = network.send(alice, bob, network.some(limits::message_bytes_max / 4));
  network.run_for(500ms);
  for (std::size_t layer = 1; layer <= mix_layers; ++layer) network.kill(network.layer_of(layer).front());
  ASSERT_TRUE(network.run_until_reported(10min));
  network.check();
  EXPECT_TRUE(network.delivered().contains(id));
  EXPECT_LE(network.client(alice).path_health().suspects(network.now()), 3U);
}

TEST(ClientSimulation, WaitsInTheMailboxOfWhoIsAway) {
  NetworkOptions options;
  options.parameters.client_mean = 20ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  network.set_online(bob, false);
  const auto id = network.send(alice, bob, network.some(3'000));
  network.run_for(3s);
  EXPECT_GE(network.mailbox(1).waiting(network.client(bob).id()), 3U);
  network.set_online(bob, true);
  ASSERT_TRUE(network.run_until_reported(1min));
  network.check();
  EXPECT_TRUE(network.delivered().contains(id));
}

TEST(ClientSimulationSoak, LosesAndRepeatsNothingUnreported) {
  const auto count = environment("VILLAGE_SEEDS", 60);
  const auto first = environment("VILLAGE_SEED_FIRST", 1'000);
  for (auto seed = first; seed < first + count; ++seed) {
    run_one(seed, {.messages = 25, .largest = limits::message_bytes_max / 4, .crashes = seed % 2 == 0},
            hostile(seed));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace village::mix
