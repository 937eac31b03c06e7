// Two joined sessions under operations that the input chooses, watched by the model of
// tests/htx/simulation.hpp.
//
//   byte 0   settings, bit 7: both can do re-handshakes; then 7 bytes for each operation: what 8, operands 16
//   and 32
#include <cstdint>

#include "htx/simulation.hpp"
#include "village/htx/frame.hpp"

using namespace village;
using namespace village::htx;

namespace {

/// identity_of makes the statics of one side, for re-handshakes.
std::shared_ptr<const RekeyIdentity> identity_of(Role role) {
  SeededRandom random{5};
  auto client = crypto::X25519KeyPair::generate(random), server = crypto::X25519KeyPair::generate(random);
  const auto peer_static = (role == Role::client ? server : client).public_key;
  return std::make_shared<RekeyIdentity>(
      RekeyIdentity{std::move(role == Role::client ? client : server), peer_static});
}

SessionKeys keys_of(Role role, crypto::AeadAlgorithm algorithm, bool rekeys) {
  SessionKeys keys;
  keys.algorithm = algorithm;
  keys.client_to_server.fill()[0] = std::byte{1};
  keys.server_to_client.fill()[0] = std::byte{2};
  keys.local_key[0] = role == Role::client ? std::byte{3} : std::byte{4};
  keys.peer_key[0] = role == Role::client ? std::byte{4} : std::byte{3};
  if (rekeys) keys.rekey = identity_of(role);
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
  const bool rekeys = (data[0] & 128) != 0;
  test::Simulation simulation{keys_of(Role::client, algorithm, rekeys),
                              keys_of(Role::server, algorithm, rekeys), settings_of(data[0]), random};
  const auto bytes = as_bytes(data + 1, size - 1);
  for (std::size_t at = 0; at + 7 <= bytes.size(); at += 7) {
    simulation.step(data[1 + at], static_cast<std::uint16_t>(htx::detail::load(bytes.data() + at + 1, 2)),
                    htx::detail::load(bytes.data() + at + 3, 4));
  }
  simulation.finish();
  return 0;
}
