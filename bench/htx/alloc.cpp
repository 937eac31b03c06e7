// htx.alloc: allocations at malloc while 1,000 messages of 4,096 bytes go over 10 streams.
#include "bench_htx.hpp"
#include "support/allocations.hpp"

namespace village::bench {
namespace {

std::uint64_t send_round(JoinedSessions& pair, const std::vector<htx::StreamId>& streams, ByteView message) {
  for (const auto stream : streams)
    must(pair.client().send(stream, message, false) == message.size(), "no room");
  return pair.pump();
}

}  // namespace

void run_alloc(const Options&, Report& report) {
  Bytes message(4096);
  SeededRandom{4}.fill(message);
  reset_peak();
  const auto before = allocations();
  const auto start = now_ns();
  {
    JoinedSessions pair{htx::Suite::xk_aesgcm_sha256, {}};
    std::vector<htx::StreamId> streams;
    for (int i = 0; i < 10; ++i) streams.push_back(pair.open());
    std::uint64_t arrived = 0;
    for (int i = 0; i < 100; ++i) arrived += send_round(pair, streams, message);
    must(arrived == 1000 * 4096, "bytes lost");
  }
  const auto after = allocations();
  const auto count = static_cast<double>(after.count - before.count);
  const std::string note = "whole run: handshake, two sessions, 10 streams, 1,000 messages, both ends";
  report.row("htx.alloc", "peak_MB",
             {{"value", static_cast<double>(after.live_bytes_peak - before.live_bytes) * 1e-6}}, note);
  report.row("htx.alloc", "allocations", {{"value", count}}, note);
  report.row("htx.alloc", "deallocations", {{"value", static_cast<double>(after.frees - before.frees)}},
             note);
  report.row("htx.alloc", "mean_allocation_bytes",
             {{"value", static_cast<double>(after.bytes - before.bytes) / count}}, note);

  JoinedSessions pair{htx::Suite::xk_aesgcm_sha256, {}};
  std::vector<htx::StreamId> streams;
  for (int i = 0; i < 10; ++i) streams.push_back(pair.open());
  for (int i = 0; i < 200; ++i) send_round(pair, streams, message);
  const auto steady_before = allocations().count;
  const auto frames_before = pair.client().statistics().frames_out;
  const auto steady_start = now_ns();
  for (int i = 0; i < 1000; ++i) send_round(pair, streams, message);
  const auto steady_s = static_cast<double>(now_ns() - steady_start) * 1e-9;
  const auto steady = static_cast<double>(allocations().count - steady_before);
  const auto frames = static_cast<double>(pair.client().statistics().frames_out - frames_before);
  report.row("htx.alloc", "allocs_per_s_steady", {{"value", steady / steady_s}},
             "10,000 messages after warm-up");
  report.at_most(
      "htx.alloc", "allocs_per_frame_steady", steady / frames, "allocations/frame", 0,
      "counted at malloc over " + std::to_string(static_cast<long>(frames)) + " frames sent and received");
  keep(start);
}

}  // namespace village::bench
