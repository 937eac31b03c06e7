// htx.frame_ops: what one frame costs, in batches of 256 so that the clock does not count. Published
// operations include the AEAD; they are measured on frames of 1 KiB of data. The checks measure the parts
// without it.
#include <cstdio>
#include <deque>
#include <string>

#include "bench_htx.hpp"
#include "htx/scheduler.hpp"
#include "htx/stream.hpp"
#include "village/base/latency_histogram.hpp"
#include "village/htx/frame.hpp"

namespace village::bench {
namespace {

constexpr std::size_t batch = 256;

/// timed runs `body` (a batch of 256 operations) `rounds` times and returns the distribution of ns per
/// operation x 100.
template <class Body>
LatencyHistogram timed(std::uint64_t rounds, Body body) {
  LatencyHistogram histogram;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const auto start = now_ns();
    body();
    histogram.record((now_ns() - start) * 100 / batch);
  }
  return histogram;
}

void row(Report& report, const std::string& key, const LatencyHistogram& ns_x100, const std::string& note) {
  report.row("htx.frame_ops", key,
             {{"mean_ns", ns_x100.mean() / 100},
              {"p95_ns", static_cast<double>(ns_x100.percentile(95)) / 100},
              {"p99_ns", static_cast<double>(ns_x100.percentile(99)) / 100}},
             note + "; percentiles over batches of 256");
}

std::string percentiles(const LatencyHistogram& ns_x100) {
  char text[120];
  std::snprintf(text, sizeof text, "mean over batches of 256; p50 %.2f, p95 %.2f, p99 %.2f ns",
                static_cast<double>(ns_x100.percentile(50)) / 100,
                static_cast<double>(ns_x100.percentile(95)) / 100,
                static_cast<double>(ns_x100.percentile(99)) / 100);
  return text;
}

void frames_with_aead(const Options& options, Report& report) {
  JoinedSessions pair{htx::Suite::xk_aesgcm_sha256, {}};
  const auto stream = pair.open();
  pair.client().send(stream, ByteArray<1>{}, false);
  pair.pump();
  Bytes message(1024), wire(batch * 1100 + 65536);
  LatencyHistogram encode, decode;
  Instant now{std::chrono::hours{2}};
  for (std::uint64_t i = 0; i < options.scaled(2000, 200); ++i) {
    std::size_t used = 0;
    const auto start = now_ns();
    for (std::size_t n = 0; n < batch / 2; ++n) {
      pair.client().send(stream, message, false);
      used += pair.client().poll_transmit(ByteSpan{wire}.subspan(used), now);
    }
    const auto middle = now_ns();
    const auto got = pair.server().receive(ByteSpan{wire}.first(used), now);
    const auto end = now_ns();
    must(got.has_value() && *got == used, "frames refused");
    while (const auto event = pair.server().poll_event()) {
      if (const auto* data = std::get_if<htx::StreamData>(&*event))
        pair.server().consume(stream, data->data.size(), now);
    }
    pair.pump();
    encode.record((middle - start) * 100 / (batch / 2));
    decode.record((end - middle) * 100 / (batch / 2));
  }
  row(report, "frame_encode", encode, "send + schedule + seal of one 1 KiB frame, AES-256-GCM");
  row(report, "frame_decode", decode, "receive + open + event of one 1 KiB frame, AES-256-GCM");
}

/// hidden makes the compiler forget what it knows of the memory at `pointer`.
template <class T>
T* hidden(T* pointer) {
  asm volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}

void headers(const Options& options, Report& report) {
  // A decoded header is folded into registers, not stored: what is timed is the decoding, as the receiver
  // does it.
  std::vector<ByteArray<htx::frame_header_bytes>> raw(batch);
  std::vector<htx::FrameHeader> headers(batch);
  SeededRandom random{5};
  for (auto& header : headers) {
    header = {static_cast<std::uint32_t>(23 + random.below(16000)), htx::FrameType::stream,
              static_cast<std::uint32_t>(random.u64()), 0};
  }
  const auto rounds = options.scaled(20'000, 2'000);
  const auto encode = timed(rounds, [&] {
    const auto* from = hidden(headers.data());
    auto* to = hidden(raw.data());
    for (std::size_t i = 0; i < batch; ++i) htx::encode_header(from[i], to[i]);
    keep(to[0]);
  });
  for (std::size_t i = 0; i < batch; ++i)
    must(htx::decode_header(raw[i]) == headers[i], "a header does not come back");
  const auto decode = timed(rounds, [&] {
    const auto* from = hidden(raw.data());
    for (std::size_t i = 0; i < batch; ++i) {
      const auto header = htx::decode_header(from[i]);
      asm volatile("" : : "r"(header.length), "r"(header.type), "r"(header.stream), "r"(header.aad));
    }
  });
  report.at_most("htx.frame_ops", "header_encode_ns", encode.mean() / 100, "ns", 5, percentiles(encode));
  report.at_most("htx.frame_ops", "header_decode_ns", decode.mean() / 100, "ns", 5, percentiles(decode));
}

/// stream_mux: choose the next of `count` streams that all have data and credit, and account for a chunk.
LatencyHistogram mux_decision(std::size_t count, std::uint64_t rounds) {
  constexpr std::uint32_t chunk = 1024;
  const Instant now{std::chrono::hours{1}};
  const Bytes data(2 * chunk);
  htx::Scheduler scheduler{chunk};
  std::deque<htx::Stream> streams;
  for (std::size_t i = 0; i < count; ++i) {
    auto& stream =
        streams.emplace_back(static_cast<htx::StreamId>(2 * i + 3), htx::Priority::interactive, now);
    must(stream.credit.add(1 << 30), "credit");
    stream.queue.push(data, chunk);
    scheduler.place(stream);
  }
  const htx::SendCredit connection{1 << 30};
  const auto histogram = timed(rounds, [&] {
    for (std::size_t i = 0; i < batch; ++i) {
      auto* stream = scheduler.next(connection);
      scheduler.sent(*stream, chunk);
      keep(stream);
    }
  });
  for (auto& stream : streams) scheduler.withdraw(stream);
  return histogram;
}

/// window_update: account for a consumed chunk on stream and connection; every second time credit is granted.
LatencyHistogram window_update(std::uint64_t rounds) {
  constexpr std::uint32_t chunk = 16384;
  const Instant now{std::chrono::hours{1}};
  htx::ReceiveWindow stream{32768, now}, connection{65536, now};
  std::uint32_t granted = 0;
  const auto histogram = timed(rounds, [&] {
    for (std::size_t i = 0; i < batch; ++i) {
      must(stream.receive(chunk) && connection.receive(chunk), "window");
      granted +=
          stream.consume(chunk, now, Duration{0}, 32768) + connection.consume(chunk, now, Duration{0}, 65536);
      keep(granted);
    }
  });
  must(granted > 0, "no credit was ever granted");
  return histogram;
}

}  // namespace

void run_frame_ops(const Options& options, Report& report) {
  frames_with_aead(options, report);
  headers(options, report);
  const auto rounds = options.scaled(20'000, 2'000);
  const auto mux = mux_decision(32, rounds);
  row(report, "stream_mux", mux, "choose among 32 backlogged streams and account for a chunk, without AEAD");
  report.at_most("htx.frame_ops", "mux_decision_ns", mux.mean() / 100, "ns", 60,
                 "32 backlogged streams; " + percentiles(mux));
  const auto crowd = mux_decision(100'000, rounds);
  report.at_most("htx.frame_ops", "mux_decision_ns_100000", crowd.mean() / 100, "ns", 150,
                 "100,000 backlogged streams, each turn another stream; " + percentiles(crowd));
  const auto update = window_update(rounds);
  row(report, "window_update", update, "account for a consumed 16 KiB chunk on stream and connection");
  report.at_most("htx.frame_ops", "window_update_ns", update.mean() / 100, "ns", 30, percentiles(update));
}

}  // namespace village::bench
