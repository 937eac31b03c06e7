#pragma once
// Two sessions joined in memory, with everything they say recorded. Time stands still unless a test moves it.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "village/base/random.hpp"
#include "village/crypto/hash.hpp"
#include "village/htx/frame.hpp"
#include "village/htx/session.hpp"

namespace village::test {

using namespace htx;  // NOLINT: these helpers are of htx alone

/// session_keys makes the keys of one side; both sides of a `seed` fit together.
inline SessionKeys session_keys(Role role, crypto::AeadAlgorithm algorithm, std::uint64_t seed = 1) {
  SeededRandom random{seed};
  SessionKeys keys;
  keys.algorithm = algorithm;
  random.fill(keys.client_to_server.fill());
  random.fill(keys.server_to_client.fill());
  crypto::Ed25519Public client, server;
  random.fill(client);
  random.fill(server);
  keys.local_key = role == Role::client ? client : server;
  keys.peer_key = role == Role::client ? server : client;
  return keys;
}

/// rekey_keys are session_keys of sides that can do re-handshakes.
inline SessionKeys rekey_keys(Role role, crypto::AeadAlgorithm algorithm, std::uint64_t seed = 1) {
  SeededRandom random{seed + 1'000};
  auto client = crypto::X25519KeyPair::generate(random), server = crypto::X25519KeyPair::generate(random);
  const auto peer_static = (role == Role::client ? server : client).public_key;
  auto keys = session_keys(role, algorithm, seed);
  keys.rekey = std::make_shared<RekeyIdentity>(
      RekeyIdentity{std::move(role == Role::client ? client : server), peer_static});
  return keys;
}

/// End is one side: the session, what it received, what it was told.
struct End {
  explicit End(Session session_) : session{std::move(session_)} {}

  Session session;
  bool consumes = true;     ///< data is consumed when it is seen
  std::set<StreamId> held;  ///< streams whose data is not consumed by itself
  std::map<StreamId, Bytes> received;
  std::set<StreamId> opened, finished, writable;
  std::map<StreamId, Code> resets;
  std::map<StreamId, std::string> reasons;
  std::set<StreamId> own_resets;  ///< those that the session itself gave up
  std::map<StreamId, std::vector<Bytes>> datagrams;
  std::optional<SessionClosed> closed;
  std::optional<PeerReady> ready;
  std::vector<Duration> pongs;
  std::optional<Error> error;  ///< what receive() failed with
  Bytes inbox;                 ///< arrived, not yet used
  std::size_t frames_seen = 0;

  void drain_events(Instant now) {
    while (auto event = session.poll_event()) {
      if (auto* e = std::get_if<StreamOpened>(&*event)) opened.insert(e->stream);
      if (auto* e = std::get_if<StreamData>(&*event)) {
        auto& bytes = received[e->stream];
        bytes.insert(bytes.end(), e->data.begin(), e->data.end());
        if (consumes && !held.contains(e->stream)) session.consume(e->stream, e->data.size(), now);
      }
      if (auto* e = std::get_if<StreamFinished>(&*event)) finished.insert(e->stream);
      if (auto* e = std::get_if<StreamReset>(&*event)) {
        resets[e->stream] = e->code;
        reasons[e->stream] = e->reason;
        if (!e->by_peer) own_resets.insert(e->stream);
      }
      if (auto* e = std::get_if<DatagramReceived>(&*event)) datagrams[e->stream].push_back(to_bytes(e->data));
      if (auto* e = std::get_if<StreamWritable>(&*event)) writable.insert(e->stream);
      if (auto* e = std::get_if<PongReceived>(&*event)) pongs.push_back(e->rtt);
      if (auto* e = std::get_if<PeerReady>(&*event)) ready = *e;
      if (auto* e = std::get_if<SessionClosed>(&*event)) closed = *e;
    }
  }
  /// take feeds bytes behind those that were left over.
  void take(ByteView bytes, Instant now) {
    inbox.insert(inbox.end(), bytes.begin(), bytes.end());
    const auto used = session.receive(inbox, now);
    if (!used) {
      error = used.error();
      inbox.clear();
    }
    drain_events(now);
    if (used) inbox.erase(inbox.begin(), inbox.begin() + static_cast<std::ptrdiff_t>(*used));
  }
  /// give takes all that the session wants to send.
  Bytes give(Instant now, std::size_t buffer_bytes = 256 << 10) {
    Bytes out, buffer(buffer_bytes);
    while (const auto size = session.poll_transmit(buffer, now)) {
      EXPECT_LE(size, buffer.size());
      out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    }
    drain_events(now);
    return out;
  }
};

/// Pair joins a client and a server.
struct Pair {
  explicit Pair(Settings client_settings = {}, Settings server_settings = {},
                crypto::AeadAlgorithm algorithm = crypto::AeadAlgorithm::aes_256_gcm)
      : client{Session{Role::client, session_keys(Role::client, algorithm), client_settings, random, now}},
        server{Session{Role::server, session_keys(Role::server, algorithm), server_settings, random, now}} {}

  SeededRandom random{7};
  Instant now{std::chrono::hours{1}};
  End client, server;

  /// pump moves bytes both ways until neither side has anything to say.
  void pump() {
    for (bool moved = true; moved;) {
      moved = false;
      if (auto bytes = client.give(now); !bytes.empty()) {
        server.take(bytes, now);
        moved = true;
      }
      if (auto bytes = server.give(now); !bytes.empty()) {
        client.take(bytes, now);
        moved = true;
      }
    }
  }
};

/// pattern makes bytes that tell their offset and stream apart.
inline Bytes pattern(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  SeededRandom random{seed};
  random.fill(bytes);
  return bytes;
}

}  // namespace village::test
