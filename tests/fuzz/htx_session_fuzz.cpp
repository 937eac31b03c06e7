// Two joined sessions under operations that the input chooses, watched by the model of
// tests/htx/simulation.hpp.
//
//   byte 0   settings; then 7 bytes for each operation: what 8, operands 16 and 32
#include <cstdint>

#include "htx/simulation.hpp"
#include "village/htx/frame.hpp"

using namespace village;
using namespace village::htx;

namespace {

SessionKeys keys_of(Role role, crypto::AeadAlgorithm algorithm) {
  SessionKeys keys;
  keys.algorithm = algorithm;
  keys.client_to_server.fill()[0] = std::byte{1};
  keys.server_to_client.fill()[0] = std::byte{2};
  keys.local_key[0] = role == Role::client ? std::byte{3} : std::byte{4};
  keys.peer_key[0] = role == Role::client ? std::byte{4} : std::byte{3};
  return keys;
}

Settings settings_of(unsigned bits) {
  Settings settings;
  if ((bits & 2) != 0) settings.chunk_bytes = 777;
  if ((bits & 4) != 0) settings.connection_window_max = 70'000;
  if ((bits & 8) != 0) settings.peer_streams_max = 4;
  if ((bits & 16) != 0) settings.send_buffer_bytes = 5'000;
  if ((bits & 32) != 0) settings.handshake_rtt = std::chrono::milliseconds{100};
  if ((bits & 64) != 0) settings.key_update_frames = 50;
  return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 5'000) return 0;
  const auto algorithm =
      (data[0] & 1) == 0 ? crypto::AeadAlgorithm::aes_256_gcm : crypto::AeadAlgorithm::chacha20_poly1305;
  SeededRandom random{1};
  test::Simulation simulation{keys_of(Role::client, algorithm), keys_of(Role::server, algorithm),
                              settings_of(data[0]), random};
  const auto bytes = as_bytes(data + 1, size - 1);
  for (std::size_t at = 0; at + 7 <= bytes.size(); at += 7) {
    simulation.step(data[1 + at], static_cast<std::uint16_t>(htx::detail::load(bytes.data() + at + 1, 2)),
                    htx::detail::load(bytes.data() + at + 3, 4));
  }
  simulation.finish();
  return 0;
}
