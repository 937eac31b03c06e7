#include <type_traits>

#include "bench_htx.hpp"

namespace village::bench {

std::pair<htx::SessionKeys, htx::SessionKeys> shake(htx::Suite suite, RandomSource& random) {
  const auto dialer_identity = crypto::Ed25519KeyPair::generate(random);
  const auto server_identity = crypto::Ed25519KeyPair::generate(random);
  const htx::ExporterKey exporter{};
  auto client =
      htx::Handshake::initiator(dialer_identity, server_identity.public_key, suite, exporter, {}, random);
  must(client.has_value(), "handshake does not start");
  auto server = htx::Handshake::responder(server_identity, {suite}, exporter, {}, random);
  ByteArray<8192> wire;
  while (!client->done() || !server.done()) {
    const auto there = client->poll_transmit(wire);
    must(server.receive(ByteView{wire}.first(there)).has_value(), "server refuses");
    const auto back = server.poll_transmit(wire);
    must(client->receive(ByteView{wire}.first(back)).has_value(), "client refuses");
    must(there + back > 0 || (client->done() && server.done()), "handshake stalls");
  }
  auto client_keys = client->finish();
  return {std::move(client_keys), server.finish()};
}

JoinedSessions::JoinedSessions(htx::Suite suite, const htx::Settings& settings)
    : keys_{shake(suite, random_)},
      client_{htx::Role::client, std::move(keys_.first), settings, random_, now_},
      server_{htx::Role::server, std::move(keys_.second), settings, random_, now_},
      wire_(256 * 1024) {
  pump();
}

htx::StreamId JoinedSessions::open() {
  const auto stream = client_.open(htx::Priority::bulk);
  must(stream.has_value(), "stream does not open");
  return *stream;
}

std::uint64_t JoinedSessions::move(htx::Session& from, htx::Session& to, const OnData& on_data) {
  std::uint64_t total = 0;
  while (const auto size = from.poll_transmit(wire_, now_)) {
    const auto used = to.receive(ByteSpan{wire_}.first(size), now_);
    must(used.has_value() && *used == size, "peer refuses frames");
    while (const auto event = to.poll_event()) {
      if (const auto* data = std::get_if<htx::StreamData>(&*event)) {
        total += data->data.size();
        if (on_data) on_data(data->stream, data->data);
        to.consume(data->stream, data->data.size(), now_);
      }
      must(!std::holds_alternative<htx::SessionClosed>(*event), "session closed");
    }
  }
  return total;
}

std::uint64_t JoinedSessions::pump(const OnData& on_data) {
  std::uint64_t total = 0;
  for (;;) {
    now_ += std::chrono::microseconds{50};
    const auto arrived = move(client_, server_, on_data);
    move(server_, client_, {});
    if (arrived == 0 && !client_.wants_transmit() && !server_.wants_transmit()) return total;
    total += arrived;
  }
}

}  // namespace village::bench
