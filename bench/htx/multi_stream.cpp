// htx.multi_stream: n streams of one session with 1 MB messages each, in memory, one thread. The published
// table gains from many threads; here one core does all the work, so the honest figure is that more streams
// cost nothing.
#include "bench_htx.hpp"

namespace village::bench {
namespace {

double total_bytes_per_s(JoinedSessions& pair, const std::vector<htx::StreamId>& streams,
                         std::uint64_t bytes_each) {
  Bytes message(1'000'000);
  SeededRandom{3}.fill(message);
  std::vector<std::uint64_t> sent(streams.size(), 0);
  std::uint64_t arrived = 0;
  const auto total = bytes_each * streams.size();
  const auto start = now_ns();
  while (arrived < total) {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      const auto left = bytes_each - sent[i];
      const auto at = sent[i] % message.size();
      const auto piece = std::min<std::uint64_t>(left, message.size() - at);
      if (piece > 0) sent[i] += pair.client().send(streams[i], ByteView{message}.subspan(at, piece), false);
    }
    arrived += pair.pump([&](htx::StreamId, ByteView data) { keep(data.back()); });
  }
  must(arrived == total, "bytes lost or repeated");
  return static_cast<double>(total) * 1e9 / static_cast<double>(now_ns() - start);
}

std::vector<htx::StreamId> open_many(JoinedSessions& pair, std::size_t count) {
  std::vector<htx::StreamId> streams;
  for (std::size_t i = 0; i < count; ++i) streams.push_back(pair.open());
  return streams;
}

}  // namespace

void run_multi_stream(const Options& options, Report& report) {
  const auto bytes = options.scaled(std::uint64_t{256} << 20, std::uint64_t{32} << 20);
  double one = 0;
  for (const std::size_t count : {1UL, 2UL, 4UL, 8UL, 16UL, 32UL}) {
    JoinedSessions pair{htx::Suite::xk_aesgcm_sha256, {}};
    const auto streams = open_many(pair, count);
    total_bytes_per_s(pair, streams, bytes / count / 10);
    const auto rate = total_bytes_per_s(pair, streams, bytes / count);
    if (count == 1) one = rate;
    report.row("htx.multi_stream", std::to_string(count),
               {{"total_MB_per_s", rate * 1e-6},
                {"per_stream_MB_per_s", rate * 1e-6 / static_cast<double>(count)},
                {"efficiency_pct", 100.0 * rate / (one * static_cast<double>(count))}},
               "in memory, one core for all streams: efficiency as published would need a core for each "
               "stream; total over "
               "one stream's total is " +
                   std::to_string(rate / one));
  }
  JoinedSessions single{htx::Suite::xk_aesgcm_sha256, {}}, many{htx::Suite::xk_aesgcm_sha256, {}};
  const auto one_stream = open_many(single, 1);
  const auto streams = open_many(many, 32);
  const auto outcome = paired(
      options.quick ? 5 : 9, [&] { return total_bytes_per_s(many, streams, bytes / 32); },
      [&] { return total_bytes_per_s(single, one_stream, bytes); });
  report.at_least("htx.multi_stream", "streams_32_vs_1", outcome.ratio.median, "ratio", 0.95,
                  "total rate of 32 streams over that of one, in memory, one core; " + outcome.text());
}

}  // namespace village::bench
