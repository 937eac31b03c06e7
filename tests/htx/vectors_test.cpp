// Published and generated vectors of vectors/htx against our frames, keys, credit, suites and identities.
#include "support/vectors.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "htx/capabilities.hpp"
#include "htx/credit.hpp"
#include "htx/pair.hpp"
#include "village/crypto/hash.hpp"
#include "village/htx/frame.hpp"
#include "village/htx/keys.hpp"
#include "village/htx/suite.hpp"
#include "village/noise/handshake_state.hpp"
#include "village/noise/protocol.hpp"

namespace village::htx {
namespace {

using nlohmann::json;

Bytes bytes_of(const json& entry, const char* key) { return test::hex(entry.at(key).get<std::string>()); }

template <std::size_t N>
ByteArray<N> array_of(const json& entry, const char* key) {
  const auto bytes = bytes_of(entry, key);
  EXPECT_EQ(bytes.size(), N);
  ByteArray<N> array{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), N), array.begin());
  return array;
}

crypto::Secret<32> secret_of(const json& entry, const char* key) {
  return crypto::Secret<32>{array_of<32>(entry, key)};
}

/// number reads an integer that may be written as text.
std::uint64_t number(const json& value) {
  return value.is_string() ? std::stoull(value.get<std::string>()) : value.get<std::uint64_t>();
}

/// counted fails if a vector file brought no case at all.
void counted(std::size_t cases) {
  EXPECT_GT(cases, 0U);
  testing::Test::RecordProperty("cases", static_cast<int>(cases));
}

// --- htx-frames.json

void expect_frame(const json& entry, const Bytes& frame) {
  if (entry.contains("frame")) {
    EXPECT_EQ(to_hex(frame), entry.at("frame").get<std::string>());
  }
  if (entry.contains("frame_sha256")) {
    EXPECT_EQ(to_hex(crypto::sha256(frame)), entry.at("frame_sha256").get<std::string>());
  }
  EXPECT_TRUE(entry.contains("frame") || entry.contains("frame_sha256"));
}

void expect_body_parses(const FrameHeader& header, ByteView plaintext) {
  switch (header.type) {
    case FrameType::stream:
      EXPECT_TRUE(parse_stream_frame(plaintext));
      break;
    case FrameType::window_update:
      EXPECT_TRUE(parse_window_update(plaintext));
      break;
    case FrameType::close:
      EXPECT_TRUE(parse_close(plaintext));
      break;
    default:
      break;
  }
}

TEST(HtxFrameVectors, SealAndOpenEveryHtx12Entry) {
  VG_VECTORS(text, "htx/htx-frames.json");
  const auto file = json::parse(text);
  std::size_t cases = 0;
  for (const auto& entry : file.at("htx12")) {
    SCOPED_TRACE(cases);
    if (!entry.contains("plaintext")) continue;
    const auto plaintext = bytes_of(entry, "plaintext");
    const auto header = frame_header(static_cast<FrameType>(entry.at("type").get<int>()),
                                     entry.at("stream_id").get<StreamId>(), plaintext.size(),
                                     entry.at("aad_u16").get<std::uint16_t>());
    RecordNonce nonces{array_of<12>(entry, "nonce_salt"), number(entry.at("counter"))};
    const auto nonce = nonces.next();
    ASSERT_TRUE(nonce);
    EXPECT_EQ(to_hex(*nonce), entry.at("nonce").get<std::string>());
    Bytes frame(header.frame_bytes());
    const ByteSpan clear = ByteSpan{frame}.first(frame_header_bytes);
    encode_header(header, clear.first<frame_header_bytes>());
    EXPECT_EQ(to_hex(clear), entry.at("aad").get<std::string>());
    crypto::Sealer sealer{crypto::AeadAlgorithm::chacha20_poly1305, bytes_of(entry, "key")};
    const auto head = std::min<std::size_t>(plaintext.size(), stream_head_bytes);
    sealer.seal(*nonce, clear, ByteView{plaintext}.first(head), ByteView{plaintext}.subspan(head),
                ByteSpan{frame}.subspan(frame_header_bytes));
    expect_frame(entry, frame);

    ASSERT_TRUE(frame_size(frame));
    EXPECT_EQ(*frame_size(frame), frame.size());
    EXPECT_EQ(decode_header(ByteView{frame}.first<frame_header_bytes>()), header);
    crypto::Opener opener{crypto::AeadAlgorithm::chacha20_poly1305, bytes_of(entry, "key")};
    const auto sealed = ByteSpan{frame}.subspan(frame_header_bytes);
    const auto opened = sealed.first(header.plaintext_bytes());
    ASSERT_TRUE(opener.open(*nonce, clear, sealed, opened));
    EXPECT_EQ(to_bytes(opened), plaintext);
    expect_body_parses(header, opened);
    ++cases;
  }
  counted(cases);
}

TEST(HtxFrameVectors, RefuseEveryMalformedHtx12Entry) {
  VG_VECTORS(text, "htx/htx-frames.json");
  const auto file = json::parse(text);
  std::size_t cases = 0;
  for (const auto& entry : file.at("malformed")) {
    if (entry.at("profile") != "htx12") continue;
    SCOPED_TRACE(entry.at("why").get<std::string>());
    const auto error = entry.at("error").get<std::string>();
    const bool authentication = error.find("AUTH_FAILED") != std::string::npos;
    test::Pair pair;
    pair.server.take(bytes_of(entry, "frame"), pair.now);
    ASSERT_TRUE(pair.server.closed);
    EXPECT_EQ(pair.server.closed->code, authentication ? Code::auth_failed : Code::malformed_frame);
    EXPECT_TRUE(pair.server.error);
    ++cases;
  }
  counted(cases);
}

TEST(HtxFrameVectors, OtherProfilesAreNotSpoken) {
  VG_VECTORS(text, "htx/htx-frames.json");
  const auto file = json::parse(text);
  std::map<std::string, std::size_t> others;
  for (const auto& [key, entries] : file.items()) {
    for (const auto& entry : entries) {
      const auto profile = entry.at("profile").get<std::string>();
      if (profile != "htx12") ++others[profile];
    }
  }
  std::string list;
  for (const auto& [profile, count] : others) list += " " + profile + ": " + std::to_string(count);
  if (!others.empty()) GTEST_SKIP() << "entries of profiles that are not built:" << list;
}

// --- htx-keyschedule.json

TEST(HtxKeyScheduleVectors, LadderClimbsEveryGeneration) {
  VG_VECTORS(text, "htx/htx-keyschedule.json");
  std::size_t cases = 0;
  const auto file = json::parse(text);
  for (const auto& entry : file.at("vectors")) {
    for (const char* direction : {"ts_c", "ts_s"}) {
      const auto& generations = entry.at(direction);
      KeyLadder ladder{secret_of(generations.at(0), "traffic_secret")};
      for (const auto& generation : generations) {
        SCOPED_TRACE(generation.at("generation").get<int>());
        EXPECT_TRUE(equal(ladder.traffic_secret(), secret_of(generation, "traffic_secret")));
        EXPECT_TRUE(equal(ladder.key(), secret_of(generation, "key")));
        EXPECT_EQ(to_hex(ladder.nonce_salt()), generation.at("nonce_salt").get<std::string>());
        ladder.advance();
        ++cases;
      }
    }
  }
  counted(cases);
}

// --- flow-traces.json

/// TraceSender is the sender of a trace: our credit, nothing else.
struct TraceSender {
  SendCredit connection{limits::connection_credit_start};
  std::map<StreamId, SendCredit> streams;
  SendCredit& stream(StreamId id) {
    return streams.try_emplace(id, limits::stream_credit_start).first->second;
  }
};

void expect_credit(const json& op, TraceSender& sender) {
  EXPECT_EQ(sender.connection.left(), op.at("conn").get<std::uint32_t>());
  if (op.contains("win")) {
    EXPECT_EQ(sender.stream(op.at("stream").get<StreamId>()).left(), op.at("win").get<std::uint32_t>());
  }
}

TEST(HtxFlowVectors, CreditFollowsEveryTrace) {
  VG_VECTORS(text, "htx/flow-traces.json");
  const auto file = json::parse(text);
  std::size_t cases = 0;
  for (const auto& trace : file.at("traces")) {
    TraceSender sender;
    for (const auto& op : trace) {
      SCOPED_TRACE(cases);
      const auto kind = op.at("op").get<std::string>();
      if (kind == "send") {
        auto& stream = sender.stream(op.at("stream").get<StreamId>());
        const auto sent = sendable(op.at("want").get<std::uint64_t>(), sender.connection, stream);
        EXPECT_EQ(sent, op.at("sent").get<std::uint32_t>());
        sender.connection.take(sent);
        stream.take(sent);
      } else if (kind == "credit") {
        const bool whole = op.at("scope").get<int>() == 0;
        auto& credit = whole ? sender.connection : sender.stream(op.at("stream").get<StreamId>());
        const bool fine = credit.add(op.at("credit").get<std::uint32_t>());
        EXPECT_EQ(fine, !op.contains("error"));
      } else {
        ADD_FAILURE() << "unknown operation " << kind;
      }
      expect_credit(op, sender);
      ++cases;
    }
  }
  counted(cases);
}

// --- htx-noise.json

Bytes prologue_of(Suite suite, ByteView exporter) {
  Bytes prologue = to_bytes("HTX");
  prologue.push_back(static_cast<std::byte>(suite));
  for (const auto b : as_bytes("betanet/htx/1.2.0")) prologue.push_back(b);
  prologue.insert(prologue.end(), exporter.begin(), exporter.end());
  return prologue;
}

crypto::X25519KeyPair pair_of(const json& entry, const char* key) {
  return crypto::X25519KeyPair::from_private(secret_of(entry, key));
}

/// Side is a handshake state of one side of a vector.
noise::HandshakeState side(const json& entry, const noise::Protocol& protocol, noise::Role role,
                           RandomSource& random) {
  const bool initiator = role == noise::Role::initiator;
  const auto prologue = bytes_of(entry, initiator ? "init_prologue" : "resp_prologue");
  noise::HandshakeOptions options;
  options.prologue = prologue;
  options.local_static = pair_of(entry, initiator ? "init_static" : "resp_static");
  options.fixed_ephemeral = pair_of(entry, initiator ? "init_ephemeral" : "resp_ephemeral");
  if (initiator) options.remote_static = array_of<32>(entry, "init_remote_static");
  if (initiator && entry.contains("init_kem_seed_d_z")) {
    options.fixed_kem_seed.emplace(array_of<64>(entry, "init_kem_seed_d_z"));
  }
  if (!initiator && entry.contains("resp_kem_m")) {
    options.fixed_kem_randomness.emplace(array_of<32>(entry, "resp_kem_m"));
  }
  const char* psks = initiator ? "init_psks" : "resp_psks";
  if (entry.contains(psks)) {
    for (const auto& psk : entry.at(psks)) {
      const auto raw = test::hex(psk.get<std::string>());
      options.psks.emplace_back(ByteView{raw}.first<32>());
    }
  }
  auto state = noise::HandshakeState::start(protocol, role, std::move(options), random);
  EXPECT_TRUE(state);
  return std::move(state).value();
}

void expect_direction(const json& expected, const crypto::Secret<32>& secret) {
  const KeyLadder ladder{secret.clone()};
  EXPECT_TRUE(equal(ladder.traffic_secret(), secret_of(expected, "traffic_secret")));
  EXPECT_TRUE(equal(ladder.key(), secret_of(expected, "key")));
  EXPECT_EQ(to_hex(ladder.nonce_salt()), expected.at("nonce_salt").get<std::string>());
}

void run_noise_vector(const json& entry, const SuiteInfo& info) {
  const auto exporter = bytes_of(entry, "init_prologue");
  ASSERT_GE(exporter.size(), 32U);
  EXPECT_EQ(to_hex(prologue_of(info.suite, ByteView{exporter}.last(32))),
            entry.at("init_prologue").get<std::string>());
  const auto protocol = noise::parse_protocol(info.noise_name);
  ASSERT_TRUE(protocol);
  SeededRandom random{1};
  auto initiator = side(entry, *protocol, noise::Role::initiator, random);
  auto responder = side(entry, *protocol, noise::Role::responder, random);
  for (const auto& message : entry.at("messages")) {
    if (initiator.finished()) break;
    auto& writer = initiator.my_turn() ? initiator : responder;
    auto& reader = initiator.my_turn() ? responder : initiator;
    const auto payload = bytes_of(message, "payload");
    Bytes out(payload.size() + writer.overhead()), back(payload.size());
    ASSERT_TRUE(writer.write_message(payload, out));
    EXPECT_EQ(to_hex(out), message.at("ciphertext").get<std::string>());
    ASSERT_TRUE(reader.read_message(out, back));
    EXPECT_EQ(back, payload);
  }
  ASSERT_TRUE(initiator.finished() && responder.finished());
  EXPECT_EQ(to_hex(responder.handshake_hash()), entry.at("handshake_hash").get<std::string>());
  const auto keys = responder.split();
  EXPECT_TRUE(equal(keys.initiator_to_responder, secret_of(entry, "split_k1_i2r")));
  EXPECT_TRUE(equal(keys.responder_to_initiator, secret_of(entry, "split_k2_r2i")));
  expect_direction(entry.at("htx_keys_c"), keys.initiator_to_responder);
  expect_direction(entry.at("htx_keys_s"), keys.responder_to_initiator);
}

/// noise_vectors calls `visit` for each vector of a suite and counts the calls.
template <class Visit>
std::size_t noise_vectors(const std::string& text, Visit visit) {
  const auto file = json::parse(text);
  std::size_t cases = 0;
  for (const auto& entry : file.at("vectors")) {
    if (!entry.contains("suite")) continue;
    const auto* info = suite_info(static_cast<Suite>(entry.at("suite").get<int>()));
    if (info == nullptr) {
      ADD_FAILURE() << "unknown suite " << entry.at("suite");
      continue;
    }
    EXPECT_EQ(info->noise_name, entry.at("protocol_name").get<std::string>());
    EXPECT_EQ(info->hybrid, entry.contains("resp_kem_m"));
    EXPECT_TRUE(is_supported(info->suite));
    visit(entry, *info);
    ++cases;
  }
  return cases;
}

TEST(HtxNoiseVectors, SuitesGiveTheKeysOfEveryVector) {
  VG_VECTORS(text, "htx/htx-noise.json");
  counted(noise_vectors(text, [](const json& entry, const SuiteInfo& info) {
    SCOPED_TRACE(info.noise_name);
    run_noise_vector(entry, info);
  }));
}

// --- ids.json

TEST(HtxIdentityVectors, NoiseStaticIsTheX25519FormOfTheIdentity) {
  VG_VECTORS(text, "htx/ids.json");
  const auto file = json::parse(text);
  std::size_t cases = 0;
  for (const auto& entry : file.at("vectors")) {
    const auto keys = crypto::Ed25519KeyPair::from_seed(secret_of(entry, "ed25519_seed"));
    EXPECT_EQ(to_hex(keys.public_key), entry.at("ed25519_pub").get<std::string>());
    EXPECT_EQ(to_hex(keys.x25519().public_key), entry.at("x25519_pub").get<std::string>());
    const auto form = crypto::x25519_public(keys.public_key);
    ASSERT_TRUE(form);
    EXPECT_EQ(to_hex(*form), entry.at("x25519_pub").get<std::string>());
    ++cases;
  }
  counted(cases);
}

// --- detcbor.json

TEST(HtxCapabilityVectors, ReadTheCapabilityMapsAmongTheCborVectors) {
  VG_VECTORS(text, "htx/detcbor.json");
  const auto file = json::parse(text);
  std::size_t cases = 0;
  for (const auto& entry : file.at("encode")) {
    const auto& value = entry.at("value");
    if (value.dump().find("\"features\"") == std::string::npos) continue;
    const auto capabilities = decode_capabilities(bytes_of(entry, "cbor"));
    ASSERT_TRUE(capabilities);
    EXPECT_NE(value.dump().find(capabilities->l2.at(0)), std::string::npos);
    ++cases;
  }
  counted(cases);
}

}  // namespace
}  // namespace village::htx
