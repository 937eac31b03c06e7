// htx.single_stream over loopback: rows with outer TLS, and the checks against HTTP/2 servers.
#include <algorithm>

#include "http2_peer.hpp"
#include "loopback.hpp"
#include "village/base/latency_histogram.hpp"

namespace village::bench {
namespace {

using namespace std::chrono_literals;

// --- rows: messages of one size, one after the other without waiting, then each with a byte in answer

boost::asio::awaitable<void> count_bytes(net::Core&, LinkPair::Stream stream) {
  Bytes buffer(262'144);
  ByteArray<16> head;  // message size, bytes in all
  for (;;) {
    for (std::size_t have = 0; have < head.size();) {
      const auto got = co_await stream->read_some(ByteSpan{head}.subspan(have));
      if (!got || *got == 0) co_return;
      have += *got;
    }
    std::uint64_t step = 0, total = 0;
    std::memcpy(&step, head.data(), 8);
    std::memcpy(&total, head.data() + 8, 8);
    std::uint64_t next = step;
    for (std::uint64_t at = 0; at < total;) {
      const auto got = co_await stream->read_some(
          ByteSpan{buffer}.first(std::min<std::size_t>(buffer.size(), total - at)));
      if (!got || *got == 0) co_return;
      at += *got;
      if (at < next) continue;
      next = at + step;
      const std::byte answer{1};
      const auto said = co_await stream->write_all(ByteView{&answer, 1});
      if (!said) co_return;
    }
  }
}

boost::asio::awaitable<void> say_head(LinkPair::Stream stream, std::uint64_t step, std::uint64_t total) {
  ByteArray<16> head;
  std::memcpy(head.data(), &step, 8);
  std::memcpy(head.data() + 8, &total, 8);
  const auto said = co_await stream->write_all(head);
  must(said.has_value(), "session lost");
}

boost::asio::awaitable<void> answer(LinkPair::Stream stream) {
  std::byte byte;
  const auto got = co_await stream->read_some(ByteSpan{&byte, 1});
  must(got.has_value() && *got == 1, "no answer");
}

boost::asio::awaitable<double> send_many(LinkPair::Stream stream, const Bytes& message, std::uint64_t count) {
  const auto total = count * message.size();
  co_await say_head(stream, total, total);
  const auto start = now_ns();
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto sent = co_await stream->write_all(message);
    must(sent.has_value(), "session lost");
  }
  co_await answer(stream);
  co_return static_cast<double>(total) * 1e9 / static_cast<double>(now_ns() - start);
}

boost::asio::awaitable<void> send_and_wait(LinkPair::Stream stream, const Bytes& message, std::uint64_t count,
                                           LatencyHistogram& taken) {
  for (std::uint64_t i = 0; i < count; ++i) {
    co_await say_head(stream, message.size(), message.size());
    const auto start = now_ns();
    const auto sent = co_await stream->write_all(message);
    must(sent.has_value(), "session lost");
    co_await answer(stream);
    taken.record(now_ns() - start);
  }
}

void rows(const Options& options, Report& report) {
  LinkPair::Shape shape;
  shape.socket.tls = true;
  LinkPair pair{
      shape, [](net::Core& core, LinkPair::Stream stream) { return count_bytes(core, std::move(stream)); }};
  const auto stream = pair.open();
  for (const std::size_t size : {1024UL, 4096UL, 16384UL, 65536UL, 262144UL, 1048576UL, 4194304UL}) {
    Bytes message(size);
    SeededRandom{size}.fill(message);
    const auto count = options.scaled(std::max<std::uint64_t>((std::uint64_t{256} << 20) / size, 20), 10);
    pair.run([&](net::Core&) { return send_many(stream, message, count / 10 + 1); });
    const double rate = pair.run([&](net::Core&) { return send_many(stream, message, count); });
    LatencyHistogram taken;
    pair.run([&](net::Core&) { return send_and_wait(stream, message, options.scaled(200, 20), taken); });
    report.row(
        "htx.single_stream", std::to_string(size) + " loopback",
        {{"MB_per_s", rate * 1e-6},
         {"messages_per_s", rate / static_cast<double>(size)},
         {"latency_us", static_cast<double>(taken.percentile(50)) * 1e-3}},
        "loopback TCP, cubic, outer TLS 1.3 and inner AES-256-GCM, net runtime, two threads; one write a "
        "message; latency is the median of one message there and one byte back");
  }
}

// --- checks

struct Peers {
  std::vector<std::unique_ptr<Http2Peer>> all;
  std::string trouble;
  const Http2Peer* best = nullptr;
  std::string rates;
};

Peers start_peers(const ContentFile& content, int runs) {
  Peers peers;
  double most = 0;
  for (const auto kind : {Http2Peer::Kind::nginx, Http2Peer::Kind::nghttpd}) {
    if (const auto why = Http2Peer::missing(kind)) {
      peers.trouble += (peers.trouble.empty() ? "" : "; ") + *why;
      continue;
    }
    peers.all.push_back(std::make_unique<Http2Peer>(kind, content));
    std::vector<double> figures;
    for (int i = 0; i < runs; ++i) figures.push_back(peers.all.back()->rate());
    const auto median = spread(figures).median;
    char text[64];
    std::snprintf(text, sizeof text, "%s%s %.2f GB/s", peers.rates.empty() ? "" : ", ",
                  peers.all.back()->name(), median * 1e-9);
    peers.rates += text;
    if (median > most) {
      most = median;
      peers.best = peers.all.back().get();
    }
  }
  return peers;
}

void check(const Options& options, Report& report, bool tls, const ContentFile& content, const Peers& peers) {
  const std::string name = tls ? "loopback_tls_vs_best_tls_h2" : "loopback_none_vs_best_tls_h2";
  LinkPair::Shape shape;
  shape.socket.tls = tls;
  Download ours{content, shape};
  const auto outcome = paired(
      options.quick ? 3 : 11, [&] { return ours.rate(); }, [&] { return peers.best->rate(); });
  const auto before = ours.cpu();
  ours.rate();
  const auto after = ours.cpu();
  const auto bytes = static_cast<double>(content.view().size());
  char figures[128];
  std::snprintf(figures, sizeof figures, "%.2f against %.2f GB/s, our processor time %.3f + %.3f ns/B; ",
                outcome.a * 1e-9, outcome.b * 1e-9, (after.second - before.second) / bytes,
                (after.first - before.first) / bytes);
  report.at_least(
      "htx.single_stream", name, outcome.ratio.median, "ratio", tls ? 1.0 : 1.5,
      std::string{tls ? "outer TLS 1.3 AES-256-GCM and inner Noise AES-256-GCM" : "outer none, AES-256-GCM"} +
          ", one stream, net runtime, two threads, " + std::to_string(content.view().size() >> 20) +
          " MiB from memory, over " + peers.best->name() +
          " + h2load -n1 -c1 -m1 -w30 -W30 on a file of that size in tmpfs, TLS_AES_256_GCM_SHA384, the "
          "faster of " +
          peers.rates + "; loopback, " + loopback_congestion() + " on both sides; " + figures +
          outcome.text());
}

}  // namespace

void run_loopback(const Options& options, Report& report) {
  rows(options, report);
  const ContentFile content{std::size_t{options.quick ? 256U : 1024U} << 20};
  const auto peers = start_peers(content, options.quick ? 1 : 3);
  for (const bool tls : {false, true}) {
    if (peers.best != nullptr) {
      check(options, report, tls, content, peers);
    } else {
      report.check_not_run("htx.single_stream",
                           tls ? "loopback_tls_vs_best_tls_h2" : "loopback_none_vs_best_tls_h2", "ratio",
                           tls ? ">=1" : ">=1.5", peers.trouble);
    }
  }
}

}  // namespace village::bench
