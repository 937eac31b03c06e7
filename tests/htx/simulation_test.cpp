#include "htx/simulation.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "htx/pair.hpp"

namespace village::htx {
namespace {

/// settings_of varies what a seed runs with: small windows, small chunks, frequent key updates.
Settings settings_of(RandomSource& random) {
  Settings settings;
  if (random.below(2) == 0)
    settings.chunk_bytes = static_cast<std::uint32_t>(1 + random.below(stream_data_bytes_max));
  if (random.below(2) == 0) settings.stream_window_start = static_cast<std::uint32_t>(random.below(100'000));
  if (random.below(2) == 0)
    settings.connection_window_max = static_cast<std::uint32_t>(65'536 + random.below(1 << 20));
  if (random.below(2) == 0) settings.peer_streams_max = static_cast<std::uint32_t>(1 + random.below(50));
  if (random.below(2) == 0) settings.send_buffer_bytes = 1 + random.below(400'000);
  if (random.below(2) == 0) settings.key_update_frames = 1 + random.below(10'000);
  if (random.below(2) == 0) settings.handshake_rtt = std::chrono::microseconds{1 + random.below(200'000)};
  return settings;
}

void run(std::uint64_t seed, int steps) {
  SCOPED_TRACE(seed);
  SeededRandom random{seed};
  const auto algorithm =
      seed % 2 == 0 ? crypto::AeadAlgorithm::aes_256_gcm : crypto::AeadAlgorithm::chacha20_poly1305;
  test::Simulation simulation{test::rekey_keys(Role::client, algorithm, seed),
                              test::rekey_keys(Role::server, algorithm, seed), settings_of(random), random};
  for (int i = 0; i < steps; ++i) {
    simulation.step(static_cast<std::uint8_t>(random.next()), static_cast<std::uint16_t>(random.next()),
                    static_cast<std::uint32_t>(random.next()));
    if (i % 500 == 499) simulation.settle();
  }
  simulation.finish();
  EXPECT_GT(simulation.received_bytes(), 0U);
  EXPECT_GT(simulation.streams(), 0U);
}

TEST(SessionSimulation, LosesRepeatsAndReordersNothing) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) run(seed, 1'500);
}

TEST(SessionSimulationSoak, LosesRepeatsAndReordersNothing) {
  const char* const wanted = std::getenv("VILLAGE_SOAK_SEEDS");
  const std::uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 400;
  for (std::uint64_t seed = 1'000; seed < 1'000 + seeds; ++seed) run(seed, 6'000);
}

}  // namespace
}  // namespace village::htx
