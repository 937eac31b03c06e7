#include "village/htx/handshake.hpp"

#include <gtest/gtest.h>

#include "village/htx/limits.hpp"
#include "village/htx/suite.hpp"
#include "village/noise/handshake_state.hpp"
#include "village/noise/protocol.hpp"

namespace village::htx {
namespace {

struct Keys {
  SeededRandom random{11};
  crypto::Ed25519KeyPair client = crypto::Ed25519KeyPair::generate(random);
  crypto::Ed25519KeyPair server = crypto::Ed25519KeyPair::generate(random);
};

Bytes flight(Handshake& from) {
  Bytes out(8'192);
  out.resize(from.poll_transmit(out));
  return out;
}

HandshakeSettings settings(Suite suite, std::size_t padding = 0, std::uint8_t psk = 9) {
  HandshakeSettings result;
  result.padding_bytes = padding;
  if (suite == Suite::xkpsk3_chacha_sha256) {
    result.psk.emplace();
    result.psk->fill()[0] = std::byte{psk};
  }
  return result;
}

/// Talk is one handshake between `client` and `server`, message by message.
struct Talk {
  Handshake client, server;

  /// step carries the next flight, changed by `change`, and tells whether its receiver took it.
  template <class Change>
  bool step(std::size_t index, Change change) {
    auto& from = index % 2 == 0 ? client : server;
    auto& to = index % 2 == 0 ? server : client;
    auto bytes = flight(from);
    change(bytes);
    return to.receive(bytes).has_value();
  }
  bool step(std::size_t index) {
    return step(index, [](Bytes&) {});
  }
  bool done() const { return client.done() && server.done(); }
};

/// talk starts a handshake that repeats itself: same keys, same ephemerals.
Talk talk(Suite suite, RandomSource& random, const Keys& keys, std::vector<Suite> allowed,
          std::size_t padding = 0) {
  auto client =
      Handshake::initiator(keys.client, keys.server.public_key, suite, {}, settings(suite, padding), random);
  EXPECT_TRUE(client);
  return {std::move(*client),
          Handshake::responder(keys.server, std::move(allowed), {}, settings(suite), random)};
}

std::size_t flights(Suite suite) { return suite == Suite::ik_chacha_sha256 ? 2 : 3; }

class EverySuite : public testing::TestWithParam<Suite> {};
INSTANTIATE_TEST_SUITE_P(Handshake, EverySuite,
                         testing::Values(Suite::xk_chacha_sha256, Suite::xk_chacha_blake2s,
                                         Suite::xkhfs_chacha_sha256, Suite::xk_aesgcm_sha256,
                                         Suite::xkhfs_aesgcm_sha256, Suite::ik_chacha_sha256,
                                         Suite::xkpsk3_chacha_sha256));

TEST_P(EverySuite, GivesBothSidesTheSameKeys) {
  Keys keys;
  auto client = Handshake::initiator(keys.client, keys.server.public_key, GetParam(), {},
                                     settings(GetParam(), 100), keys.random);
  ASSERT_TRUE(client);
  auto server = Handshake::responder(keys.server, {GetParam()}, {}, settings(GetParam()), keys.random);
  for (int i = 0; i < 3 && !(client->done() && server.done()); ++i) {
    const auto there = flight(*client);
    const auto used = server.receive(there);
    ASSERT_TRUE(used) << name(used.error().code);
    EXPECT_EQ(*used, there.size());
    const auto back = flight(server);
    const auto used_back = client->receive(back);
    ASSERT_TRUE(used_back) << name(used_back.error().code);
    EXPECT_EQ(*used_back, back.size());
  }
  ASSERT_TRUE(client->done() && server.done());
  const auto a = client->finish(), b = server.finish();
  EXPECT_EQ(a.peer_key, keys.server.public_key);
  EXPECT_EQ(b.peer_key, keys.client.public_key);
  EXPECT_EQ(a.handshake_hash, b.handshake_hash);
  EXPECT_TRUE(equal(a.client_to_server, b.client_to_server));
  EXPECT_TRUE(equal(a.server_to_client, b.server_to_client));
  EXPECT_FALSE(equal(a.server_to_client, a.client_to_server));
  EXPECT_EQ(a.algorithm, suite_info(GetParam())->algorithm);
}

TEST_P(EverySuite, FailsOnEveryFlippedBit) {
  const Keys keys;
  // A hybrid has 19,000 bits and each takes a handshake: some of each byte there, all of them elsewhere.
  const std::size_t step = suite_info(GetParam())->hybrid ? 13 : 1;
  const std::vector<Suite> all{Suite::xk_chacha_sha256,    Suite::xk_chacha_blake2s,
                               Suite::xkhfs_chacha_sha256, Suite::xk_aesgcm_sha256,
                               Suite::xkhfs_aesgcm_sha256, Suite::ik_chacha_sha256,
                               Suite::xkpsk3_chacha_sha256};
  for (std::size_t index = 0; index < flights(GetParam()); ++index) {
    std::size_t bits = 1;
    for (std::size_t bit = 0; bit < bits; bit += step) {
      SeededRandom random{5};
      auto pair = talk(GetParam(), random, keys, all, 3);
      for (std::size_t i = 0; i < index; ++i) ASSERT_TRUE(pair.step(i));
      const bool taken = pair.step(index, [&](Bytes& bytes) {
        bits = bytes.size() * 8;
        bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      });
      // A flipped length may leave the receiver waiting; either way it is never done, nor are both.
      for (std::size_t i = index + 1; taken && i < flights(GetParam()) && pair.step(i); ++i) {
      }
      EXPECT_FALSE((index % 2 == 0 ? pair.server : pair.client).done())
          << "flight " << index << " bit " << bit;
      EXPECT_FALSE(pair.done()) << "flight " << index << " bit " << bit;
    }
  }
}

TEST_P(EverySuite, TakesOneByteAtATime) {
  const Keys keys;
  SeededRandom random{5};
  auto pair = talk(GetParam(), random, keys, {GetParam()}, 40);
  for (std::size_t i = 0; i < flights(GetParam()); ++i) {
    auto& from = i % 2 == 0 ? pair.client : pair.server;
    auto& to = i % 2 == 0 ? pair.server : pair.client;
    for (Bytes one(1); from.poll_transmit(one) == 1;) {
      const auto used = to.receive(one);
      ASSERT_TRUE(used);
      EXPECT_EQ(*used, 1U);
    }
  }
  EXPECT_TRUE(pair.done());
}

TEST_P(EverySuite, LeavesBytesBehindTheLastMessage) {
  const Keys keys;
  SeededRandom random{5};
  auto pair = talk(GetParam(), random, keys, {GetParam()});
  const auto last = flights(GetParam()) - 1;
  for (std::size_t i = 0; i < last; ++i) ASSERT_TRUE(pair.step(i));
  auto bytes = flight(last % 2 == 0 ? pair.client : pair.server);
  const auto size = bytes.size();
  bytes.resize(size + 100);
  const auto used = (last % 2 == 0 ? pair.server : pair.client).receive(bytes);
  ASSERT_TRUE(used);
  EXPECT_EQ(*used, size);
  EXPECT_TRUE(pair.done());
}

TEST_P(EverySuite, FailsWithAnotherServersKey) {
  Keys keys;
  const auto other = crypto::Ed25519KeyPair::generate(keys.random);
  auto client =
      Handshake::initiator(keys.client, other.public_key, GetParam(), {}, settings(GetParam()), keys.random);
  auto server = Handshake::responder(keys.server, {GetParam()}, {}, settings(GetParam()), keys.random);
  const auto used = server.receive(flight(*client));
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, Errc::auth_failed);
  EXPECT_TRUE(flight(server).empty());
  EXPECT_EQ(server.receive(Bytes(1)).error().code, Errc::closed);
}

TEST_P(EverySuite, FailsWithAnotherExporter) {
  Keys keys;
  ExporterKey exporter{};
  exporter[31] = std::byte{1};
  auto client = Handshake::initiator(keys.client, keys.server.public_key, GetParam(), exporter,
                                     settings(GetParam()), keys.random);
  auto server = Handshake::responder(keys.server, {GetParam()}, {}, settings(GetParam()), keys.random);
  EXPECT_EQ(server.receive(flight(*client)).error().code, Errc::auth_failed);
}

TEST_P(EverySuite, AcceptsOnlySuitesOnItsList) {
  Keys keys;
  const auto other =
      GetParam() == Suite::xk_chacha_sha256 ? Suite::xk_aesgcm_sha256 : Suite::xk_chacha_sha256;
  auto client = Handshake::initiator(keys.client, keys.server.public_key, GetParam(), {},
                                     settings(GetParam()), keys.random);
  auto server = Handshake::responder(keys.server, {other}, {}, settings(GetParam()), keys.random);
  EXPECT_EQ(server.receive(flight(*client)).error().code, Errc::version);
  EXPECT_TRUE(flight(server).empty());
}

TEST(Handshake, FailsWithAnotherPsk) {
  Keys keys;
  const auto suite = Suite::xkpsk3_chacha_sha256;
  auto client = Handshake::initiator(keys.client, keys.server.public_key, suite, {}, settings(suite, 0, 1),
                                     keys.random);
  auto server = Handshake::responder(keys.server, {suite}, {}, settings(suite, 0, 2), keys.random);
  Talk pair{std::move(*client), std::move(server)};
  EXPECT_TRUE(pair.step(0) && pair.step(1));
  EXPECT_FALSE(pair.step(2));
  EXPECT_FALSE(pair.server.done());
}

TEST(Handshake, NeedsThePskOfItsSuite) {
  Keys keys;
  const auto suite = Suite::xkpsk3_chacha_sha256;
  const auto client = Handshake::initiator(keys.client, keys.server.public_key, suite, {}, {}, keys.random);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, Errc::bad_argument);
  auto server = Handshake::responder(keys.server, {suite}, {}, {}, keys.random);
  EXPECT_EQ(server.receive(to_bytes("HTX\x07")).error().code, Errc::version);
}

TEST(Handshake, HybridFlightsHaveTheSizesOfTheTable) {
  const Keys keys;
  for (const auto suite : {Suite::xkhfs_chacha_sha256, Suite::xkhfs_aesgcm_sha256}) {
    ASSERT_TRUE(is_supported(suite) && suite_info(suite)->hybrid);
    SeededRandom random{5};
    auto pair = talk(suite, random, keys, {suite});
    for (const std::size_t size : std::initializer_list<std::size_t>{4 + 2 + 1248, 2 + 1152, 2 + 64 + 34}) {
      auto& from = size == 2 + 1152 ? pair.server : pair.client;
      const auto bytes = flight(from);
      EXPECT_EQ(bytes.size(), size);
      ASSERT_TRUE((size == 2 + 1152 ? pair.client : pair.server).receive(bytes));
    }
    EXPECT_TRUE(pair.done());
  }
}

TEST(Handshake, RefusesWhatIsNoHtx) {
  Keys keys;
  auto server = Handshake::responder(keys.server, {Suite::xk_chacha_sha256}, {}, {}, keys.random);
  EXPECT_EQ(server.receive(to_bytes("GET / HTTP/1.1\r\n")).error().code, Errc::malformed);
}

TEST(Handshake, JudgesALengthBeforeItsMessage) {
  Keys keys;
  for (const auto& length :
       {std::array{0x00, 0x2F}, std::array{0x00, 0x31}, std::array{0xFF, 0xFF}, std::array{0, 0}}) {
    auto server = Handshake::responder(keys.server, {Suite::xk_chacha_sha256}, {}, {}, keys.random);
    auto bytes = to_bytes("HTX\x01");
    for (const int b : length) bytes.push_back(static_cast<std::byte>(b));
    const auto used = server.receive(bytes);
    ASSERT_FALSE(used);
    EXPECT_EQ(used.error().code, Errc::malformed);
  }
}

TEST(Handshake, NeedsAPeerKeyOnTheCurve) {
  Keys keys;
  crypto::Ed25519Public nonsense{};
  nonsense.fill(std::byte{0xFF});
  EXPECT_EQ(
      Handshake::initiator(keys.client, nonsense, Suite::xk_chacha_sha256, {}, {}, keys.random).error().code,
      Errc::bad_key);
}

TEST(Handshake, PaddingIsBounded) {
  Keys keys;
  HandshakeSettings padded;
  padded.padding_bytes = limits::handshake_padding_bytes_max + 1;
  EXPECT_FALSE(Handshake::initiator(keys.client, keys.server.public_key, Suite::xk_chacha_sha256, {},
                                    std::move(padded), keys.random));
  SeededRandom random{5};
  auto pair = talk(Suite::xk_chacha_sha256, random, keys, {Suite::xk_chacha_sha256},
                   limits::handshake_padding_bytes_max);
  EXPECT_TRUE(pair.step(0) && pair.step(1) && pair.step(2));
  EXPECT_TRUE(pair.done());
}

// --- the identity proof, written by a client of our own

/// prove runs XK with `proof` as payload of message 3 and gives what the responder says to it.
Result<std::size_t> prove(Keys& keys, const Bytes& proof) {
  auto server = Handshake::responder(keys.server, {Suite::xk_chacha_sha256}, {}, {}, keys.random);
  Bytes prologue = to_bytes(
      "HTX\x01"
      "betanet/htx/1.2.0");
  prologue.resize(prologue.size() + 32);
  noise::HandshakeOptions options;
  options.prologue = prologue;
  options.local_static = keys.client.x25519();
  options.remote_static = keys.server.x25519().public_key;
  const auto protocol = noise::parse_protocol("Noise_XK_25519_ChaChaPoly_SHA256");
  auto client =
      noise::HandshakeState::start(*protocol, noise::Role::initiator, std::move(options), keys.random)
          .value();
  const auto message = [&client](const Bytes& payload) {
    Bytes out(2 + payload.size() + client.overhead());
    out[0] = static_cast<std::byte>((out.size() - 2) >> 8);
    out[1] = static_cast<std::byte>(out.size() - 2);
    EXPECT_TRUE(client.write_message(payload, ByteSpan{out}.subspan(2)));
    return out;
  };
  EXPECT_TRUE(server.receive(to_bytes("HTX\x01")));
  EXPECT_TRUE(server.receive(message({})));
  const auto answer = flight(server);
  Bytes nothing;
  EXPECT_TRUE(client.read_message(ByteView{answer}.subspan(2), nothing));
  auto result = server.receive(message(proof));
  EXPECT_EQ(server.done(), result.has_value());
  return result;
}

Bytes proof_of(const crypto::Ed25519Public& key, std::uint8_t length, std::size_t zeros) {
  Bytes proof = to_bytes(key);
  proof.push_back(std::byte{0});
  proof.push_back(static_cast<std::byte>(length));
  proof.resize(proof.size() + zeros);
  return proof;
}

TEST(IdentityProof, TakesTheRightOne) {
  Keys keys;
  EXPECT_TRUE(prove(keys, proof_of(keys.client.public_key, 0, 0)));
  EXPECT_TRUE(prove(keys, proof_of(keys.client.public_key, 9, 9)));
}

TEST(IdentityProof, RefusesAKeyThatIsNotTheStatics) {
  Keys keys;
  EXPECT_EQ(prove(keys, proof_of(keys.server.public_key, 0, 0)).error().code, Errc::auth_failed);
  crypto::Ed25519Public nonsense{};
  nonsense.fill(std::byte{0xFF});
  EXPECT_EQ(prove(keys, proof_of(nonsense, 0, 0)).error().code, Errc::auth_failed);
  EXPECT_EQ(prove(keys, proof_of({}, 0, 0)).error().code, Errc::auth_failed);
}

TEST(IdentityProof, RefusesAWrongForm) {
  Keys keys;
  EXPECT_FALSE(prove(keys, {}));
  EXPECT_FALSE(prove(keys, to_bytes(keys.client.public_key)));
  EXPECT_FALSE(prove(keys, proof_of(keys.client.public_key, 3, 2)));
  EXPECT_FALSE(prove(keys, proof_of(keys.client.public_key, 2, 3)));
  auto dirty = proof_of(keys.client.public_key, 4, 4);
  dirty.back() = std::byte{1};
  EXPECT_FALSE(prove(keys, dirty));
}

}  // namespace
}  // namespace village::htx
