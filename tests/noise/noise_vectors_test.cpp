// Published and own vectors, message by message on both sides.
#include <gtest/gtest.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/noise/handshake_state.hpp"

namespace village::noise {
namespace {

using nlohmann::json;
using test::hex;

constexpr std::size_t published_max = 65535;

Bytes field(const json& v, const std::string& name) { return hex(v.at(name).get<std::string>()); }

template <std::size_t N>
std::span<const std::byte, N> exactly(const Bytes& bytes) {
  VG_CHECK(bytes.size() == N);
  return std::span{bytes}.first<N>();
}

crypto::X25519KeyPair key_pair(const Bytes& bytes) {
  return crypto::X25519KeyPair::from_private(crypto::X25519Private{exactly<32>(bytes)});
}

/// options reads what the side `who` ("init", "resp") of an entry brings.
HandshakeOptions options(const json& v, const std::string& who, const Pattern& pattern,
                         const Bytes& prologue) {
  HandshakeOptions o;
  o.prologue = prologue;
  const std::string peer = who == "init" ? "resp" : "init";
  const Role peer_role = who == "init" ? Role::responder : Role::initiator;
  if (v.contains(who + "_static")) o.local_static = key_pair(field(v, who + "_static"));
  if (v.contains(who + "_ephemeral")) o.fixed_ephemeral = key_pair(field(v, who + "_ephemeral"));
  if (v.contains(who + "_remote_static")) {
    const auto bytes = field(v, who + "_remote_static");
    std::copy(bytes.begin(), bytes.end(), o.remote_static.emplace().begin());
  } else if (pattern.known(peer_role)) {
    o.remote_static = key_pair(field(v, peer + "_static")).public_key;
  }
  if (v.contains(who + "_kem_seed_d_z")) {
    o.fixed_kem_seed.emplace(exactly<64>(field(v, who + "_kem_seed_d_z")));
  }
  if (v.contains(who + "_kem_m")) o.fixed_kem_randomness.emplace(exactly<32>(field(v, who + "_kem_m")));
  if (v.contains(who + "_psks")) {
    for (const auto& psk : v[who + "_psks"]) {
      const auto bytes = hex(psk.get<std::string>());
      o.psks.emplace_back(exactly<32>(bytes));
    }
  }
  return o;
}

/// Pair is both sides of an entry.
struct Pair {
  HandshakeState initiator, responder;
};

Pair start(const json& v) {
  static SeededRandom unused{0};
  const auto protocol = parse_protocol(v.at("protocol_name").get<std::string>()).value();
  const auto init_prologue = field(v, v.contains("prologue") ? "prologue" : "init_prologue");
  const auto resp_prologue = field(v, v.contains("prologue") ? "prologue" : "resp_prologue");
  return {HandshakeState::start(protocol, Role::initiator,
                                options(v, "init", protocol.pattern, init_prologue), unused)
              .value(),
          HandshakeState::start(protocol, Role::responder,
                                options(v, "resp", protocol.pattern, resp_prologue), unused)
              .value()};
}

void handshake_message(HandshakeState& from, HandshakeState& to, const json& message) {
  const auto payload = field(message, "payload");
  const auto expected = field(message, "ciphertext");
  Bytes wire(published_max), plain(published_max);
  const auto added = from.overhead();
  ASSERT_EQ(to.overhead(), added);
  const auto written = from.write_message(payload, wire);
  ASSERT_TRUE(written);
  ASSERT_EQ(*written, payload.size() + added);
  wire.resize(*written);
  ASSERT_EQ(to_hex(wire), to_hex(expected));
  const auto read = to.read_message(wire, plain);
  ASSERT_TRUE(read);
  plain.resize(*read);
  ASSERT_EQ(to_hex(plain), to_hex(payload));
}

void transport_message(Transport& from, Transport& to, const json& message) {
  const auto payload = field(message, "payload");
  Bytes wire(payload.size() + tag_bytes), plain(payload.size());
  ASSERT_TRUE(from.send.encrypt({}, payload, wire));
  ASSERT_EQ(to_hex(wire), to_hex(field(message, "ciphertext")));
  ASSERT_TRUE(to.receive.decrypt({}, wire, plain));
  ASSERT_EQ(to_hex(plain), to_hex(payload));
}

void check_ends(const Pair& pair, const json& v) {
  ASSERT_TRUE(pair.initiator.finished() && pair.responder.finished());
  EXPECT_EQ(to_hex(pair.initiator.handshake_hash()), v.at("handshake_hash"));
  EXPECT_EQ(to_hex(pair.responder.handshake_hash()), v.at("handshake_hash"));
  for (const auto* side : {&pair.initiator, &pair.responder}) {
    if (!v.contains("split_k1_i2r")) continue;
    const auto keys = side->split();
    EXPECT_EQ(to_hex(keys.initiator_to_responder.view()), v["split_k1_i2r"]);
    EXPECT_EQ(to_hex(keys.responder_to_initiator.view()), v["split_k2_r2i"]);
  }
  if (v.contains("init_static") && pair.responder.remote_static()) {
    EXPECT_EQ(to_hex(*pair.responder.remote_static()), to_hex(key_pair(field(v, "init_static")).public_key));
  }
}

/// run_entry plays the whole entry; messages behind the handshake are transport messages, which go on
/// alternating.
void run_entry(const json& v) {
  auto pair = start(v);
  const auto pattern = parse_protocol(v.at("protocol_name").get<std::string>()).value().pattern;
  const auto& messages = v.at("messages");
  ASSERT_GT(messages.size(), pattern.message_count);
  for (std::size_t i = 0; i < pattern.message_count; ++i) {
    auto& from = i % 2 == 0 ? pair.initiator : pair.responder;
    auto& to = i % 2 == 0 ? pair.responder : pair.initiator;
    if (v.contains("message_sizes")) {
      EXPECT_EQ(field(messages[i], "ciphertext").size(), v["message_sizes"][i]);
    }
    ASSERT_NO_FATAL_FAILURE(handshake_message(from, to, messages[i]));
  }
  ASSERT_NO_FATAL_FAILURE(check_ends(pair, v));
  auto initiator = pair.initiator.transport();
  auto responder = pair.responder.transport();
  for (std::size_t i = pattern.message_count; i < messages.size(); ++i) {
    const bool forth = pattern.one_way() || i % 2 == 0;
    ASSERT_NO_FATAL_FAILURE(
        transport_message(forth ? initiator : responder, forth ? responder : initiator, messages[i]));
  }
}

/// run_file plays every entry and returns how many.
std::size_t run_file(const std::string& text) {
  const auto file = json::parse(text);
  std::size_t count = 0;
  for (const auto& v : file.at("vectors")) {
    SCOPED_TRACE(v.at("protocol_name"));
    run_entry(v);
    ++count;
  }
  return count;
}

TEST(NoiseVectors, Cacophony25519) {
  VG_VECTORS(text, "htx/noise-cacophony-25519.json");
  const auto count = run_file(text);
  EXPECT_GT(count, 0U);
  std::cout << count << " entries played\n";
}

TEST(NoiseVectors, HtxSuites) {
  VG_VECTORS(text, "htx/htx-noise.json");
  EXPECT_GT(run_file(text), 0U);
}

/// run_negative plays an entry up to the message that must be refused, and refuses it.
void run_negative(const json& v) {
  auto pair = start(v);
  const auto fail_at = v.at("must_fail_at").get<std::size_t>();
  const auto& messages = v.at("messages");
  ASSERT_LT(fail_at, messages.size());
  Bytes plain(published_max), own(published_max);
  for (std::size_t i = 0; i <= fail_at; ++i) {
    auto& from = i % 2 == 0 ? pair.initiator : pair.responder;
    auto& to = i % 2 == 0 ? pair.responder : pair.initiator;
    const auto wire = hex(messages[i].get<std::string>());
    const auto written = from.write_message({}, own);
    ASSERT_TRUE(written);
    const auto honest = ByteView{own}.first(*written);
    const auto read = to.read_message(wire, plain);
    if (i == fail_at) {
      EXPECT_NE(to_hex(honest), to_hex(wire));
      EXPECT_FALSE(read);
      EXPECT_TRUE(to.dead());
      EXPECT_EQ(to.read_message(honest, plain).error().code, Errc::closed);
      return;
    }
    ASSERT_EQ(to_hex(honest), to_hex(wire));
    ASSERT_TRUE(read);
  }
}

TEST(NoiseVectors, HtxNegative) {
  VG_VECTORS(text, "htx/htx-noise-negative.json");
  const auto file = json::parse(text);
  std::size_t count = 0;
  for (const auto& v : file.at("vectors")) {
    SCOPED_TRACE(v.at("label"));
    run_negative(v);
    ++count;
  }
  EXPECT_GT(count, 0U);
}

/// The published hybrid vector gives seeds, sizes, the last message, the hash and the keys.
TEST(NoiseVectors, HybridInterop) {
  VG_VECTORS(text, "htx/noise-xxhfs-mlkem768-interop.json");
  const auto v = json::parse(text);
  auto pair = start(v);
  Bytes wire(published_max), plain(published_max);
  for (std::size_t i = 0; i < v.at("payloads").size(); ++i) {
    auto& from = i % 2 == 0 ? pair.initiator : pair.responder;
    auto& to = i % 2 == 0 ? pair.responder : pair.initiator;
    const auto payload = hex(v["payloads"][i].get<std::string>());
    const auto written = from.write_message(payload, wire);
    ASSERT_TRUE(written);
    EXPECT_EQ(*written, v.at("msg_sizes")[i]);
    const auto message = ByteView{wire}.first(*written);
    if (i + 1 == v["payloads"].size()) {
      EXPECT_EQ(to_hex(message), v.at("msg_c"));
    }
    ASSERT_TRUE(to.read_message(message, plain));
  }
  check_ends(pair, v);
}

}  // namespace
}  // namespace village::noise
