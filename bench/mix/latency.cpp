// mix.latency: where the time of a packet in a worker goes. Phases are shares of a batch of 64; the total has
// its own histogram.
#include <time.h>

#include <array>

#include "mix/bench_mix.hpp"
#include "mix/node_load.hpp"
#include "village/base/latency_histogram.hpp"

namespace village::bench {
namespace {

enum Row { validation, decryption, lookup, delay, reencryption, output, total, row_count };
constexpr std::array<const char*, row_count> keys{
    "packet_validation", "sphinx_decryption",  "routing_lookup", "vrf_delay_calc",
    "reencryption",      "output_preparation", "total"};

/// thread_ns is this thread's own clock: others may share the core.
std::uint64_t thread_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

/// Stopwatch adds up the phases of one batch and files them when it ends.
class Stopwatch final : public mix::WorkerProbe {
 public:
  void ended(sphinx::Phase phase) override {
    using sphinx::Phase;
    switch (phase) {
      case Phase::gather:
      case Phase::mac:
        return add(validation);
      case Phase::exchange:
      case Phase::expand:
      case Phase::slot:
        return add(decryption);
      case Phase::blind:
      case Phase::payload:
        return add(reencryption);
      case Phase::output:
        return add(output);
    }
  }
  void ended(Stage stage, std::size_t packets) override {
    switch (stage) {
      case Stage::begin:
        last_ = thread_ns();
        return;
      case Stage::opened:
        return add(validation);
      case Stage::replay:
      case Stage::route:
        return add(lookup);
      case Stage::delay:
        return add(delay);
      case Stage::finish:
        return add(output);
      case Stage::queue:
        add(output);
        return file(packets);
    }
  }
  /// submitted and released are outside of a batch.
  void begin() { last_ = thread_ns(); }
  void add(Row row) {
    const auto now = thread_ns();
    sums_[row] += now - last_;
    last_ = now;
  }
  LatencyHistogram histograms[row_count];

 private:
  void file(std::size_t packets) {
    if (packets == 0) return;
    std::uint64_t all = 0;
    for (std::size_t row = 0; row < total; ++row) {
      histograms[row].record(sums_[row] / packets);
      all += sums_[row];
      sums_[row] = 0;
    }
    histograms[total].record(all / packets);
  }
  std::uint64_t last_ = 0;
  std::array<std::uint64_t, row_count> sums_{};
};

void send_all(NodeLoad& load, Stopwatch& watch) {
  auto options = load.options();
  options.delays.policy = mix::DelayPolicy::vrf;
  mix::WorkerMesh mesh{1};
  mix::Worker worker{options, mesh, 0, load.random(), instant()};
  load.install(worker);
  worker.set_probe(&watch);
  std::array<mix::Released, 64> out;
  Duration skipped{0};
  for (std::size_t next = 0; next < load.size() || worker.in_flight() > 0;) {
    const auto now = instant() + skipped;
    watch.begin();
    for (std::size_t i = 0; i < 64 && next < load.size(); ++i, ++next)
      must(worker.submit(0, load.frame(next), now, load.wall()), "frame refused");
    watch.add(validation);
    if (next == load.size()) skipped += std::chrono::milliseconds{1};
    worker.run(now);
    watch.begin();
    for (std::size_t count; (count = worker.poll_released(out)) > 0;)
      for (const auto& item : std::span{out}.first(count)) worker.done(item.held);
    watch.add(output);  // of the batch to come: as many leave as come
  }
  must(worker.counters().forwarded * 100 >= load.size() * 99, "packets lost");
}

}  // namespace

void run_latency(const Options& options, Report& report) {
  NodeLoad load{options.scaled(65'536)};
  Stopwatch warm, watch;
  send_all(load, warm);
  for (int i = 0; i < (options.quick ? 1 : 5); ++i) send_all(load, watch);
  const double whole = watch.histograms[total].mean();
  for (std::size_t row = 0; row < row_count; ++row) {
    const auto& histogram = watch.histograms[row];
    report.row("mix.latency", keys[row],
               {{"mean_us", histogram.mean() * 1e-3},
                {"p95_us", static_cast<double>(histogram.percentile(95)) * 1e-3},
                {"pct_of_total", histogram.mean() / whole * 100}},
               row == total
                   ? "from its own histogram: time of a batch by its packets; waiting for the batch and "
                     "the mixing delay are not in it"
                   : "share of a batch of 64: time of the phase (the thread's own) by its packets, " +
                         std::to_string(histogram.count()) + " batches");
  }
}

}  // namespace village::bench
