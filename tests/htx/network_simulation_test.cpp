// Runs of NetworkSimulation by seed. VILLAGE_SEED=n replays one, and tells what happens; VILLAGE_SEEDS=n sets
// how many the soak runs (from VILLAGE_SEED_FIRST).
#include "htx/network_simulation.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace village::htx {
namespace {

using test::NetworkSimulation;

constexpr std::uint64_t soak_seeds = 12'000;

// A check of the product ends the process: then the seed must be known all the same.
char running[64];

void tell_seed(int) {
  (void)!::write(STDERR_FILENO, running, std::strlen(running));
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

std::optional<std::uint64_t> number(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

NetworkSimulation::Report run(std::uint64_t first, std::uint64_t count, bool trace = false) {
  std::signal(SIGABRT, tell_seed);
  NetworkSimulation::Report sum;
  int failures = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    std::snprintf(running, sizeof running, "seed %llu: aborted\n", static_cast<unsigned long long>(seed));
    try {
      sum.add(NetworkSimulation{seed, trace}.run());
    } catch (const test::SimulationFailure& failure) {
      ADD_FAILURE() << failure.what();
      if (++failures == 10) break;
    }
  }
  std::signal(SIGABRT, SIG_DFL);
  return sum;
}

/// expect_all: the runs saw everything that can happen.
void expect_all(const NetworkSimulation::Report& saw) {
  const std::pair<const char*, std::uint64_t> counts[] = {
      {"connections", saw.connections}, {"sessions", saw.sessions},
      {"streams", saw.streams},         {"bytes", saw.bytes},
      {"datagrams", saw.datagrams},     {"key updates", saw.key_updates},
      {"resets", saw.resets},           {"streams given up", saw.given_up},
      {"settled", saw.settled},         {"cuts", saw.cuts},
      {"silent deaths", saw.deaths},    {"damages", saw.damages},
      {"stalls", saw.stalls},           {"clock jumps", saw.jumps},
      {"ping timeouts", saw.timeouts},  {"re-handshakes", saw.rekeys},
      {"wall jumps", saw.wall_jumps},   {"tickets refused", saw.refused_tickets},
      {"thefts", saw.thefts},           {"server restarts", saw.restarts}};
  for (const auto& [what, count] : counts) {
    std::printf("%s: %llu\n", what, static_cast<unsigned long long>(count));
    EXPECT_GT(count, 0U) << what;
  }
}

TEST(NetworkSimulation, LosesRepeatsAndReordersNothing) {
  if (const auto seed = number("VILLAGE_SEED")) {
    run(*seed, 1, true);
    return;
  }
  expect_all(run(1, soak_seeds / 20));
}

TEST(NetworkSimulationSoak, LosesRepeatsAndReordersNothing) {
  expect_all(
      run(number("VILLAGE_SEED_FIRST").value_or(1'000'000), number("VILLAGE_SEEDS").value_or(soak_seeds)));
}

TEST(NetworkSimulation, ASeedRepeatsItself) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto once = NetworkSimulation{seed}.run();
    const auto twice = NetworkSimulation{seed}.run();
    EXPECT_EQ(once.bytes, twice.bytes) << seed;
    EXPECT_EQ(once.streams, twice.streams) << seed;
    EXPECT_EQ(once.stalls, twice.stalls) << seed;
  }
}

}  // namespace
}  // namespace village::htx
