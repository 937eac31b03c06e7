// htx.rtt: 1 KB out and 1 KB back over one stream, two threads, loopback TCP, outer none, AES-256-GCM. Each
// side drives its session straight over a blocking socket; the same exchange without a session is the raw
// figure.
#include <thread>

#include "bench_htx.hpp"
#include "support/sockets.hpp"
#include "village/base/latency_histogram.hpp"

namespace village::bench {
namespace {

constexpr std::size_t message_bytes = 1024;

Instant now() { return Instant{Duration{static_cast<std::int64_t>(now_ns())}}; }

/// Driver moves one session's bytes over a blocking socket.
class Driver {
 public:
  Driver(htx::Role role, htx::SessionKeys keys, Socket socket)
      : socket_{std::move(socket)},
        session_{role, std::move(keys), {}, random_, now()},
        in_(256 * 1024),
        out_(256 * 1024) {}
  htx::Session& session() { return session_; }
  void flush() {
    while (const auto size = session_.poll_transmit(out_, now())) socket_.write_all(out_.data(), size);
  }
  /// read takes what the socket has and returns the stream bytes in it; false at the end of the connection.
  bool read(const JoinedSessions::OnData& on_data) {
    const auto got = socket_.read_some(in_.data() + held_, in_.size() - held_);
    if (got == 0) return false;
    held_ += got;
    const auto used = session_.receive(ByteSpan{in_}.first(held_), now());
    must(used.has_value(), "frames refused");
    while (const auto event = session_.poll_event()) {
      if (const auto* data = std::get_if<htx::StreamData>(&*event)) {
        on_data(data->stream, data->data);
        session_.consume(data->stream, data->data.size(), now());
      }
    }
    std::copy(in_.begin() + static_cast<std::ptrdiff_t>(*used),
              in_.begin() + static_cast<std::ptrdiff_t>(held_), in_.begin());
    held_ -= *used;
    return true;
  }

 private:
  SeededRandom random_{7};
  Socket socket_;
  htx::Session session_;
  Bytes in_, out_;
  std::size_t held_ = 0;
};

LatencyHistogram htx_rounds(std::uint64_t rounds) {
  const TcpOptions tcp{"cubic"};
  auto [listener, port] = listen_tcp(tcp);
  SeededRandom random{11};
  auto [client_keys, server_keys] = shake(htx::Suite::xk_aesgcm_sha256, random);
  std::thread server{[&listener = listener, keys = std::move(server_keys)]() mutable {
    Driver driver{htx::Role::server, std::move(keys), accept_tcp(listener)};
    const auto echo = [&driver](htx::StreamId stream, ByteView data) {
      driver.session().send(stream, data, false);
    };
    driver.flush();
    while (driver.read(echo)) driver.flush();
  }};
  LatencyHistogram histogram;
  {
    Driver driver{htx::Role::client, std::move(client_keys), dial_tcp(port, tcp)};
    const auto stream = driver.session().open();
    must(stream.has_value(), "stream does not open");
    Bytes message(message_bytes);
    for (std::uint64_t i = 0; i < rounds + rounds / 10; ++i) {
      const auto start = now_ns();
      random.fill(ByteSpan{message}.first(16));
      driver.session().send(*stream, message, false);
      driver.flush();
      std::size_t back = 0;
      while (back < message_bytes) {
        must(driver.read([&](htx::StreamId, ByteView data) {
          must(std::equal(data.begin(), data.end(), message.begin() + static_cast<std::ptrdiff_t>(back)),
               "echo differs");
          back += data.size();
        }),
             "connection ended");
      }
      if (i >= rounds / 10) histogram.record(now_ns() - start);
    }
  }
  server.join();
  return histogram;
}

LatencyHistogram raw_rounds(std::uint64_t rounds) {
  const TcpOptions tcp{"cubic"};
  auto [listener, port] = listen_tcp(tcp);
  std::thread server{[&listener = listener] {
    const auto socket = accept_tcp(listener);
    Bytes buffer(message_bytes);
    while (const auto got = socket.read_some(buffer.data(), buffer.size()))
      socket.write_all(buffer.data(), got);
  }};
  LatencyHistogram histogram;
  {
    const auto socket = dial_tcp(port, tcp);
    Bytes message(message_bytes);
    for (std::uint64_t i = 0; i < rounds + rounds / 10; ++i) {
      const auto start = now_ns();
      socket.write_all(message.data(), message.size());
      socket.read_all(message.data(), message.size());
      if (i >= rounds / 10) histogram.record(now_ns() - start);
    }
  }
  server.join();
  return histogram;
}

}  // namespace

void run_rtt(const Options& options, Report& report) {
  const auto rounds = options.scaled(60'000, 6'000);
  const auto histogram = htx_rounds(rounds);
  const std::pair<const char*, double> points[] = {
      {"p50", 50}, {"p75", 75}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
  for (const auto& [name, percent] : points) {
    report.row("htx.rtt", name, {{"latency_us", static_cast<double>(histogram.percentile(percent)) * 1e-3}},
               "1 KB there and back, loopback TCP, outer none, AES-256-GCM, sessions over blocking sockets, "
               "two threads; the "
               "published figures are below what a loopback round trip takes here");
  }
  const auto median_us = [&](const LatencyHistogram& h) {
    return static_cast<double>(h.percentile(50)) * 1e-3;
  };
  const auto outcome = paired(
      options.quick ? 3 : 9, [&] { return median_us(htx_rounds(rounds / 10)); },
      [&] { return median_us(raw_rounds(rounds / 10)); });
  report.shown(
      "htx.rtt", "p50_vs_raw_socket", outcome.ratio.median, "ratio",
      "p50 of the same exchange without a session, blocking sockets, two threads; " + outcome.text());
}

}  // namespace village::bench
