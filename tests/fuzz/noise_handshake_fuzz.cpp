// A Noise peer that lies at one message of its choice.
//
//   byte 0   pattern          byte 1   bits 0-1 cipher and hash, bits 2-4 psk form, bit 5 hfs
//   byte 2   bits 0-1 the message that is forged, bit 7: the rest is XORed over the honest message, else
//   replaces it rest     the forgery
//
// Byte 0 = 255: the rest is a protocol name.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/noise/handshake_state.hpp"

using namespace village;
using namespace village::noise;

namespace {

constexpr const char* patterns[] = {"N",    "K",   "X",   "NN",   "NK",   "NX",  "XN",  "XK",   "XX",  "KN",
                                    "KK",   "KX",  "IN",  "IK",   "IX",   "NK1", "NX1", "X1N",  "X1K", "XK1",
                                    "X1K1", "X1X", "XX1", "X1X1", "K1N",  "K1K", "KK1", "K1K1", "K1X", "KX1",
                                    "K1X1", "I1N", "I1K", "IK1",  "I1K1", "I1X", "IX1", "I1X1"};
constexpr const char* psk_forms[] = {"", "psk0", "psk1", "psk2", "psk3", "psk4", "psk0+psk1", "psk0+psk2"};
constexpr const char* algorithms[] = {"_ChaChaPoly_SHA256", "_AESGCM_SHA512", "_AESGCM_BLAKE2s",
                                      "_ChaChaPoly_BLAKE2b"};

HandshakeState side(const Protocol& protocol, Role role, RandomSource& random) {
  static const auto statics = [] {
    SeededRandom fixed{1};
    return std::array{crypto::X25519KeyPair::generate(fixed), crypto::X25519KeyPair::generate(fixed)};
  }();
  const std::size_t own = role == Role::initiator ? 0 : 1;
  HandshakeOptions options;
  if (protocol.pattern.needs_static(role)) {
    options.local_static = crypto::X25519KeyPair{statics[own].private_key.clone(), statics[own].public_key};
  }
  if (protocol.pattern.known(own == 0 ? Role::responder : Role::initiator)) {
    options.remote_static = statics[1 - own].public_key;
  }
  for (std::size_t i = 0; i < protocol.pattern.psk_count; ++i) options.psks.emplace_back();
  return HandshakeState::start(protocol, role, std::move(options), random).value();
}

/// forge replaces or changes the honest message; true if it differs from it.
bool forge(Bytes& message, ByteView bytes, bool change) {
  const Bytes honest = message;
  if (change) {
    for (std::size_t i = 0; i < std::min(bytes.size(), message.size()); ++i) message[i] ^= bytes[i];
  } else {
    message = to_bytes(bytes);
  }
  return message != honest;
}

void play(const Protocol& protocol, std::size_t forged, ByteView bytes, bool change) {
  SeededRandom random{2};
  HandshakeState sides[] = {side(protocol, Role::initiator, random), side(protocol, Role::responder, random)};
  Bytes plain(limits::message_bytes_max);
  for (std::size_t i = 0; i < protocol.pattern.message_count; ++i) {
    auto& from = sides[i % 2];
    auto& to = sides[1 - i % 2];
    Bytes wire(from.overhead() + 7);
    const auto written = from.write_message(as_bytes("payload"), wire);
    if (!written) return;  // a low-order point, or a key that is none, was forged before
    const bool differs = i == forged && forge(wire, bytes, change);
    const auto read = to.read_message(wire, plain);
    // From the second message on everything is authenticated, by whatever the pattern has.
    VG_CHECK(!(read && differs && i > 0));
    VG_CHECK(read || to.dead());
    if (!read) return;
  }
  VG_CHECK(sides[0].finished() && sides[1].finished());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  if (data[0] == 255) {
    const auto name = as_text(as_bytes(data + 1, size - 1));
    const auto protocol = parse_protocol(name);
    VG_CHECK(!protocol || protocol->name == name);
    return 0;
  }
  const std::string pattern = patterns[data[0] % std::size(patterns)];
  const bool hybrid = (data[1] & 0x20) != 0;
  const std::string psks = psk_forms[data[1] >> 2 & 7];
  const auto modifiers = hybrid ? "hfs" + (psks.empty() ? "" : "+" + psks) : psks;
  const auto protocol = parse_protocol("Noise_" + pattern + modifiers + "_" +
                                       (hybrid ? "25519+MLKEM768" : "25519") + algorithms[data[1] & 3]);
  if (!protocol) return 0;  // a psk behind the last message, or a one-way hybrid
  play(*protocol, data[2] & 3, as_bytes(data + 3, size - 3), (data[2] & 0x80) != 0);
  return 0;
}
