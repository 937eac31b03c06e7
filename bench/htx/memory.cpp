// htx.memory: what sessions and streams cost at malloc, OpenSSL contexts included.
#include "bench_htx.hpp"
#include "support/allocations.hpp"

namespace village::bench {
namespace {

double live() { return static_cast<double>(allocations().live_bytes); }

}  // namespace

void run_memory(const Options& options, Report& report) {
  const htx::Settings settings;
  SeededRandom random{9};
  const Instant now{std::chrono::hours{1}};
  const auto count = options.scaled(10'000, 1'000);
  std::vector<htx::Session> sessions;
  sessions.reserve(count);
  auto [client_keys, server_keys] = shake(htx::Suite::xkhfs_aesgcm_sha256, random);
  const auto copy = [](const htx::SessionKeys& keys) {
    return htx::SessionKeys{keys.algorithm,
                            keys.suite,
                            keys.client_to_server.clone(),
                            keys.server_to_client.clone(),
                            keys.handshake_hash,
                            keys.local_key,
                            keys.peer_key};
  };
  const auto before = live();
  for (std::uint64_t i = 0; i < count; ++i)
    sessions.emplace_back(htx::Role::server, copy(server_keys), settings, random, now);
  const auto session_bytes = (live() - before) / static_cast<double>(count) + sizeof(htx::Session);
  report.row("htx.memory", "base_session", {{"KB", session_bytes / 1000}},
             std::to_string(count) + " idle sessions, malloc'd bytes of each, AEAD contexts included");
  report.at_most("htx.memory", "idle_session_bytes", session_bytes, "bytes", 8192,
                 "malloc'd bytes of " + std::to_string(count) +
                     " sessions over their number, OpenSSL contexts included, without "
                     "the socket");
  sessions.clear();

  const std::size_t stream_count = 4'000;
  JoinedSessions pair{htx::Suite::xkhfs_aesgcm_sha256, settings};
  ByteArray<1> byte{};
  const auto streams_before = live();
  std::vector<htx::StreamId> streams;
  streams.reserve(stream_count);
  const auto list_bytes = live() - streams_before;
  for (std::size_t i = 0; i < stream_count; ++i) {
    streams.push_back(pair.open());
    pair.client().send(streams.back(), byte, false);
    if (i % 64 == 63) pair.pump();
  }
  pair.pump();
  const auto stream_bytes = (live() - streams_before - list_bytes) / static_cast<double>(2 * stream_count);
  report.row("htx.memory", "per_stream", {{"KB", stream_bytes / 1000}},
             "4,000 open streams that each carried a byte, each end");
  report.at_most("htx.memory", "idle_stream_bytes", stream_bytes, "bytes", 256,
                 "malloc'd bytes of 4,000 open idle streams, each end");

  report.row("htx.memory", "frame_buffer", {{"KB", 0}},
             "a session holds no frame buffer: frames are opened where they were read and sealed where they "
             "will be written; "
             "the link lends 256 KiB from a per-core pool while bytes move");
  const auto handshake_before = live();
  {
    const auto identity = crypto::Ed25519KeyPair::generate(random);
    const auto before_state = live();
    auto handshake = htx::Handshake::initiator(identity, identity.public_key, htx::Suite::xkhfs_aesgcm_sha256,
                                               {}, {}, random);
    must(handshake.has_value(), "handshake does not start");
    report.row("htx.memory", "noise_state", {{"KB", (live() - before_state) / 1000}},
               "an initiator's handshake before message 1");
  }
  must(live() <= handshake_before + 4096, "handshake leaks");
  report.row("htx.memory", "connection_pool_per_100", {{"KB", session_bytes / 10}}, "100 idle sessions");
  keep(client_keys.suite);
}

}  // namespace village::bench
