// HandshakeState beyond the vectors: every pattern, every damage, every misuse.
#include <gtest/gtest.h>

#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/noise/handshake_state.hpp"

namespace village::noise {
namespace {

constexpr const char* pattern_names[] = {
    "N",   "K",    "X",   "NN",  "NK",   "NX",  "XN",  "XK",   "XX",   "KN",  "KK",   "KX",  "IN",
    "IK",  "IX",   "NK1", "NX1", "X1N",  "X1K", "XK1", "X1K1", "X1X",  "XX1", "X1X1", "K1N", "K1K",
    "KK1", "K1K1", "K1X", "KX1", "K1X1", "I1N", "I1K", "IK1",  "I1K1", "I1X", "IX1",  "I1X1"};

Protocol protocol(const std::string& pattern, const std::string& rest = "25519_ChaChaPoly_SHA256") {
  return parse_protocol("Noise_" + pattern + "_" + rest).value();
}

Key random_key(RandomSource& random) {
  Key key;
  random.fill(key.fill());
  return key;
}

/// Sides makes both ends of a handshake and carries messages between them.
struct Sides {
  Sides(const Protocol& p, RandomSource& random, ByteView init_prologue = {}, ByteView resp_prologue = {},
        bool same_psks = true)
      : pattern{p.pattern},
        statics{crypto::X25519KeyPair::generate(random), crypto::X25519KeyPair::generate(random)} {
    std::vector<Key> psks;
    for (std::size_t i = 0; i < pattern.psk_count; ++i) psks.push_back(random_key(random));
    for (const Role role : {Role::initiator, Role::responder}) {
      const bool first = role == Role::initiator;
      HandshakeOptions options;
      options.prologue = first ? init_prologue : resp_prologue;
      const auto& own = statics[first ? 0 : 1];
      if (pattern.needs_static(role)) options.local_static = {own.private_key.clone(), own.public_key};
      if (pattern.known(first ? Role::responder : Role::initiator)) {
        options.remote_static = statics[first ? 1 : 0].public_key;
      }
      for (const auto& psk : psks) options.psks.push_back(psk.clone());
      if (!same_psks && first) options.psks.back() = random_key(random);
      states.push_back(HandshakeState::start(p, role, std::move(options), random).value());
    }
  }

  /// step moves message `index`, changed by `damage` on the way. false: the reader refused it.
  template <class Damage>
  bool step(std::size_t index, ByteView payload, Damage damage) {
    auto& from = states[index % 2];
    auto& to = states[1 - index % 2];
    Bytes wire(limits::message_bytes_max), plain(limits::message_bytes_max);
    const auto written = from.write_message(payload, wire);
    if (!written) return false;
    wire.resize(*written);
    damage(wire);
    const auto read = to.read_message(wire, plain);
    if (!read) {
      EXPECT_TRUE(to.dead());
      return false;
    }
    plain.resize(*read);
    received = plain;
    return true;
  }
  bool step(std::size_t index, ByteView payload) {
    return step(index, payload, [](Bytes&) {});
  }

  Pattern pattern;
  std::array<crypto::X25519KeyPair, 2> statics;
  std::vector<HandshakeState> states;
  Bytes received;
};

/// psk_forms lists "", each single psk, and all of them.
std::vector<std::string> psk_forms(const Pattern& pattern) {
  std::vector<std::string> forms{""};
  std::string all;
  for (std::size_t i = 0; i <= pattern.message_count; ++i) {
    const auto one = "psk" + std::to_string(i);
    forms.push_back(one);
    all += all.empty() ? one : "+" + one;
  }
  forms.push_back(all);
  return forms;
}

void exchange(CipherState& from, CipherState& to, RandomSource& random) {
  const auto size = static_cast<std::size_t>(random.below(100));
  Bytes payload(size), wire(size + tag_bytes), plain(size);
  random.fill(payload);
  ASSERT_TRUE(from.encrypt({}, payload, wire));
  ASSERT_TRUE(to.decrypt({}, wire, plain));
  ASSERT_EQ(plain, payload);
}

void whole_run(const Protocol& p, RandomSource& random) {
  Sides sides{p, random, as_bytes("village"), as_bytes("village")};
  for (std::size_t i = 0; i < p.pattern.message_count; ++i) {
    ASSERT_EQ(sides.states[0].my_turn(), i % 2 == 0);
    ASSERT_EQ(sides.states[1].my_turn(), i % 2 == 1);
    ASSERT_EQ(sides.states[0].overhead(), sides.states[1].overhead());
    Bytes payload(random.below(300));
    random.fill(payload);
    ASSERT_TRUE(sides.step(i, payload));
    ASSERT_EQ(sides.received, payload);
  }
  ASSERT_TRUE(sides.states[0].finished() && sides.states[1].finished());
  ASSERT_EQ(to_hex(sides.states[0].handshake_hash()), to_hex(sides.states[1].handshake_hash()));
  for (const std::size_t side : {0U, 1U}) {
    const auto& seen = sides.states[1 - side].remote_static();
    const Role role = side == 0 ? Role::initiator : Role::responder;
    ASSERT_EQ(seen.has_value(), p.pattern.needs_static(role));
    ASSERT_EQ(seen.value_or(sides.statics[side].public_key), sides.statics[side].public_key);
  }
  auto initiator = sides.states[0].transport();
  auto responder = sides.states[1].transport();
  for (int i = 0; i < 3; ++i) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator.send, responder.receive, random));
    ASSERT_NO_FATAL_FAILURE(exchange(responder.send, initiator.receive, random));
  }
  ASSERT_FALSE(
      equal(sides.states[0].split().initiator_to_responder, sides.states[0].split().responder_to_initiator));
}

TEST(HandshakeState, EveryPatternAndPskFormRunsThrough) {
  SeededRandom random{11};
  const char* algorithms[] = {"25519_ChaChaPoly_SHA256", "25519_AESGCM_SHA512", "25519_ChaChaPoly_BLAKE2b",
                              "25519_AESGCM_BLAKE2s"};
  for (const std::string name : pattern_names) {
    for (const auto& form : psk_forms(protocol(name).pattern)) {
      SCOPED_TRACE(name + form);
      ASSERT_NO_FATAL_FAILURE(whole_run(protocol(name + form, algorithms[random.below(4)]), random));
    }
  }
}

/// hybrid names a pattern with hfs in front of its other modifiers.
Protocol hybrid(const std::string& base, const std::string& modifiers = "",
                const std::string& rest = "ChaChaPoly_SHA256") {
  return protocol(base + "hfs" + (modifiers.empty() ? "" : "+" + modifiers), "25519+MLKEM768_" + rest);
}

TEST(HandshakeState, EveryInteractivePatternRunsThroughAsAHybrid) {
  SeededRandom random{21};
  const char* algorithms[] = {"ChaChaPoly_SHA256", "AESGCM_SHA512", "ChaChaPoly_BLAKE2b", "AESGCM_BLAKE2s"};
  for (const std::string name : pattern_names) {
    if (protocol(name).pattern.one_way()) continue;
    for (const auto& form : psk_forms(protocol(name).pattern)) {
      SCOPED_TRACE(name + "hfs " + form);
      ASSERT_NO_FATAL_FAILURE(whole_run(hybrid(name, form, algorithms[random.below(4)]), random));
    }
  }
}

TEST(HandshakeState, HybridSizesAreThoseOfTheSuites) {
  SeededRandom random{22};
  const std::pair<const char*, std::array<std::size_t, 3>> expected[] = {
      {"XK", {1248, 1152, 64}}, {"XX", {1216, 1200, 64}}, {"IK", {1296, 1152, 0}}};
  for (const auto& [name, sizes] : expected) {
    Sides sides{hybrid(name), random};
    for (std::size_t i = 0; i < sides.pattern.message_count; ++i) {
      EXPECT_EQ(sides.states[i % 2].overhead(), sizes[i]) << name << " message " << i;
      ASSERT_TRUE(sides.step(i, {}));
    }
  }
}

TEST(HandshakeState, EncapsulationKeyAboveTheModulusIsRefused) {
  SeededRandom random{23};
  Sides sides{hybrid("NN"), random};  // e1 in clear
  ASSERT_TRUE(sides.step(0, {}, [](Bytes& wire) {
    for (std::size_t at = 32; at < 35; ++at) wire[at] = std::byte{0xff};
  }));
  Bytes wire(limits::message_bytes_max);
  EXPECT_EQ(sides.states[1].write_message({}, wire).error().code, Errc::bad_key);
  EXPECT_TRUE(sides.states[1].dead());
}

/// survives tells whether both sides finish with one transcript although message `index` was damaged.
template <class Damage>
bool survives(const Protocol& p, std::size_t index, Damage damage, RandomSource& random) {
  Sides sides{p, random};
  for (std::size_t i = 0; i < p.pattern.message_count; ++i) {
    const bool through =
        i == index ? sides.step(i, as_bytes("payload"), damage) : sides.step(i, as_bytes("payload"));
    if (!through) return false;
  }
  // The last message may be the damaged one only if nothing authenticates it, which no pattern of ours has.
  return to_hex(sides.states[0].handshake_hash()) == to_hex(sides.states[1].handshake_hash());
}

std::size_t message_size(const Protocol& p, std::size_t index) {
  SeededRandom random{12};
  std::size_t size = 0;
  survives(
      p, index, [&](Bytes& wire) { size = wire.size(); }, random);
  return size;
}

TEST(HandshakeState, NoFlippedBitSurvives) {
  SeededRandom random{13};
  for (const char* name : {"XK", "IK", "XX", "NN", "X", "X1X1", "XKpsk3", "NNpsk0", "KKpsk0+psk2"}) {
    const auto p = protocol(name);
    ASSERT_TRUE(survives(
        p, 9, [](Bytes&) {}, random));
    for (std::size_t index = 0; index < p.pattern.message_count; ++index) {
      const auto size = message_size(p, index);
      ASSERT_GT(size, 0U);
      for (std::size_t at = 0; at < size; ++at) {
        const auto bit = static_cast<std::byte>(1U << random.below(8));
        ASSERT_FALSE(survives(
            p, index, [&](Bytes& wire) { wire[at] ^= bit; }, random))
            << name << " message " << index << " byte " << at;
      }
    }
  }
}

TEST(HandshakeState, NoFlippedBitOfAHybridSurvives) {
  SeededRandom random{24};
  for (const char* name : {"XK", "IK", "XX", "KK"}) {
    const auto p = hybrid(name);
    for (std::size_t index = 0; index < p.pattern.message_count; ++index) {
      const auto size = message_size(p, index);
      for (std::size_t at = 0; at < size; at += 1 + random.below(5)) {
        const auto bit = static_cast<std::byte>(1U << random.below(8));
        ASSERT_FALSE(survives(
            p, index, [&](Bytes& wire) { wire[at] ^= bit; }, random))
            << name << " message " << index << " byte " << at;
      }
      for (std::size_t cut = 0; cut < size; cut += 1 + random.below(29)) {
        ASSERT_FALSE(survives(
            p, index, [&](Bytes& wire) { wire.resize(cut); }, random))
            << name << " message " << index << " cut to " << cut;
      }
    }
  }
}

TEST(HandshakeState, NoTruncationOrExtensionSurvives) {
  SeededRandom random{14};
  for (const char* name : {"XK", "IK", "XX", "NN", "X1X1", "XKpsk3"}) {
    const auto p = protocol(name);
    for (std::size_t index = 0; index < p.pattern.message_count; ++index) {
      const auto size = message_size(p, index);
      for (std::size_t cut = 0; cut < size; ++cut) {
        ASSERT_FALSE(survives(
            p, index, [&](Bytes& wire) { wire.resize(cut); }, random))
            << name << index << " " << cut;
      }
      ASSERT_FALSE(survives(
          p, index, [&](Bytes& wire) { wire.push_back(std::byte{0}); }, random));
    }
  }
}

TEST(HandshakeState, AnotherPrologueOrPskIsRefused) {
  SeededRandom random{15};
  Sides prologues{protocol("XK"), random, as_bytes("a"), as_bytes("b")};
  EXPECT_FALSE(prologues.step(0, {}));
  Sides psks{protocol("XKpsk3"), random, {}, {}, false};
  EXPECT_TRUE(psks.step(0, {}));
  EXPECT_TRUE(psks.step(1, {}));
  EXPECT_FALSE(psks.step(2, {}));
}

TEST(HandshakeState, TurnsAndRoomAreCheckedBeforeAnythingChanges) {
  SeededRandom random{16};
  Sides sides{protocol("XK"), random};
  auto& initiator = sides.states[0];
  auto& responder = sides.states[1];
  Bytes wire(70000), plain(70000);
  EXPECT_EQ(initiator.read_message(ByteView{wire}.first(48), plain).error().code, Errc::bad_argument);
  EXPECT_EQ(responder.write_message({}, wire).error().code, Errc::bad_argument);
  EXPECT_EQ(initiator.overhead(), 48U);
  EXPECT_EQ(initiator.write_message({}, ByteSpan{wire}.first(47)).error().code, Errc::limit_exceeded);
  EXPECT_EQ(initiator.write_message(ByteView{plain}.first(65535 - 47), wire).error().code,
            Errc::limit_exceeded);
  const auto size = initiator.write_message(ByteView{plain}.first(65535 - 48), wire);
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, 65535U);
  EXPECT_EQ(
      responder.read_message(ByteView{wire}.first(*size), ByteSpan{plain}.first(65535 - 49)).error().code,
      Errc::limit_exceeded);
  EXPECT_FALSE(responder.dead());
  EXPECT_TRUE(responder.read_message(ByteView{wire}.first(*size), plain));
  EXPECT_TRUE(sides.step(1, {}));
  EXPECT_TRUE(sides.step(2, {}));
  EXPECT_EQ(initiator.overhead(), 0U);
  EXPECT_EQ(initiator.write_message({}, wire).error().code, Errc::bad_argument);
  EXPECT_EQ(responder.read_message({}, wire).error().code, Errc::bad_argument);
}

TEST(HandshakeState, OversizedMessageIsFinal) {
  SeededRandom random{17};
  Sides sides{protocol("XX"), random};
  const Bytes wire(65536);
  Bytes plain(70000);
  EXPECT_EQ(sides.states[1].read_message(wire, plain).error().code, Errc::limit_exceeded);
  EXPECT_TRUE(sides.states[1].dead());
  EXPECT_EQ(sides.states[1].read_message(ByteView{wire}.first(32), plain).error().code, Errc::closed);
}

TEST(HandshakeState, LowOrderPointsAreRefusedWhereverTheyAreUsed) {
  SeededRandom random{18};
  // Points of small order that RFC 7748 implementations meet: 0, 1, p-1, p, p+1 and the two of order 8.
  for (const char* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"}) {
    const auto low = test::hex(point);
    Bytes out(200);
    Sides reading{protocol("NK"), random};
    Bytes message = low;
    message.resize(48);
    EXPECT_EQ(reading.states[1].read_message(message, out).error().code, Errc::bad_key) << point;
    EXPECT_TRUE(reading.states[1].dead());
    Sides writing{protocol("NN"), random};
    EXPECT_TRUE(writing.states[1].read_message(low, out)) << point;
    EXPECT_EQ(writing.states[1].write_message({}, out).error().code, Errc::bad_key);
    EXPECT_TRUE(writing.states[1].dead());
    EXPECT_EQ(writing.states[1].write_message({}, out).error().code, Errc::closed);
  }
}

TEST(HandshakeState, StartWantsExactlyTheKeysOfThePattern) {
  SeededRandom random{19};
  const auto pair = [&] { return crypto::X25519KeyPair::generate(random); };
  const auto code = [&](const Protocol& p, Role role, HandshakeOptions options) {
    const auto result = HandshakeState::start(p, role, std::move(options), random);
    return result ? Errc{} : result.error().code;
  };
  EXPECT_EQ(code(protocol("NN"), Role::initiator, {}), Errc{});
  EXPECT_EQ(code(protocol("XX"), Role::initiator, {}), Errc::bad_argument);
  EXPECT_EQ(code(protocol("XX"), Role::initiator, {.local_static = pair()}), Errc{});
  EXPECT_EQ(
      code(protocol("XX"), Role::initiator, {.local_static = pair(), .remote_static = pair().public_key}),
      Errc::bad_argument);
  EXPECT_EQ(code(protocol("NK"), Role::initiator, {}), Errc::bad_argument);
  EXPECT_EQ(code(protocol("NK"), Role::initiator, {.remote_static = pair().public_key}), Errc{});
  EXPECT_EQ(code(protocol("NK"), Role::responder, {}), Errc::bad_argument);
  EXPECT_EQ(code(protocol("KK"), Role::responder, {.local_static = pair()}), Errc::bad_argument);
  EXPECT_EQ(code(protocol("NNpsk0"), Role::initiator, {}), Errc::bad_argument);
  HandshakeOptions superfluous;
  superfluous.psks.push_back(random_key(random));
  EXPECT_EQ(code(protocol("NN"), Role::initiator, std::move(superfluous)), Errc::bad_argument);
}

}  // namespace
}  // namespace village::noise
