// A handshake in which one flight is forged, and the bytes come in pieces.
//
//   byte 0   suite             byte 1   size of the pieces (0 = whole)
//   byte 2   bits 0-1 the flight that is forged (3 = none, then nothing may fail), bit 7: the rest is XORed
//   over the
//            honest flight, else it replaces it
//   rest     the forgery
#include <algorithm>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/htx/handshake.hpp"
#include "village/htx/suite.hpp"

using namespace village;
using namespace village::htx;

namespace {

struct Identities {
  SeededRandom random{1};
  crypto::Ed25519KeyPair client = crypto::Ed25519KeyPair::generate(random);
  crypto::Ed25519KeyPair server = crypto::Ed25519KeyPair::generate(random);
};

HandshakeSettings with_psk(std::size_t padding) {
  HandshakeSettings settings;
  settings.padding_bytes = padding;
  settings.psk.emplace();
  return settings;
}

/// feed gives `bytes` in pieces; false: refused.
bool feed(Handshake& to, ByteView bytes, std::size_t piece) {
  while (!bytes.empty()) {
    const auto part = bytes.first(piece == 0 ? bytes.size() : std::min(piece, bytes.size()));
    const auto used = to.receive(part);
    if (!used) {
      VG_CHECK(to.receive(part).error().code == Errc::closed);
      return false;
    }
    VG_CHECK(*used <= part.size());
    if (*used < part.size()) return true;  // frames follow
    bytes = bytes.subspan(*used);
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 70'000) return 0;
  static const Identities identities;
  SeededRandom random{2};
  const auto suite = static_cast<Suite>(data[0] % 8);
  auto client = Handshake::initiator(identities.client, identities.server.public_key, suite, {},
                                     with_psk(data[1]), random);
  VG_CHECK(client.has_value() == is_supported(suite));
  std::vector<Suite> all;
  for (std::uint8_t i = 0; i < 8; ++i) all.push_back(static_cast<Suite>(i));
  auto server = Handshake::responder(identities.server, all, {}, with_psk(0), random);
  const auto forgery = as_bytes(data + 3, size - 3);
  if (!client) {
    (void)feed(server, forgery, data[1]);
    return 0;
  }
  const std::size_t forged = data[2] & 3;
  bool differs = false, refused = false;
  Bytes buffer(8'192);
  for (std::size_t i = 0; i < 3 && !refused; ++i) {
    auto& from = i % 2 == 0 ? *client : server;
    auto& to = i % 2 == 0 ? server : *client;
    Bytes flight{buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(from.poll_transmit(buffer))};
    if (flight.empty()) break;
    const Bytes honest = flight;
    if (i == forged && (data[2] & 0x80) != 0) {
      for (std::size_t k = 0; k < std::min(flight.size(), forgery.size()); ++k) flight[k] ^= forgery[k];
    } else if (i == forged) {
      flight = to_bytes(forgery);
    }
    refused = !feed(to, flight, data[1]);
    // What lies behind the last flight is not the handshake's.
    const bool longer =
        flight.size() > honest.size() && std::equal(honest.begin(), honest.end(), flight.begin());
    differs = differs || (flight != honest && !(longer && to.done()));
  }
  VG_CHECK(!refused || differs);
  VG_CHECK(!differs || !(client->done() && server.done()));
  if (client->done() && server.done())
    VG_CHECK(client->finish().handshake_hash == server.finish().handshake_hash);
  return 0;
}
