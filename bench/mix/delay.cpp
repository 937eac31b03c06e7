// mix.delay: what delays are drawn, and how well they are kept.
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "mix/bench_mix.hpp"
#include "mix/node_load.hpp"
#include "village/base/latency_histogram.hpp"
#include "village/mix/delay_audit.hpp"
#include "village/mix/delay_queue.hpp"

namespace village::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::array seeds{1ULL, 20260801ULL, 24301ULL};

const std::vector<mix::DelayBin> published{{0ms, 10ms, 124},    {10ms, 50ms, 237},   {50ms, 100ms, 289},
                                           {100ms, 250ms, 198}, {250ms, 500ms, 113}, {500ms, 1s, 39}};

double greatest_difference(std::vector<Duration> values, const mix::DelayDistribution& exact) {
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double at = exact.cdf(values[i]);
    distance = std::max({distance, std::abs(at - static_cast<double>(i) / count),
                         std::abs(at - static_cast<double>(i + 1) / count)});
  }
  return distance;
}

/// drawn are delays as a node draws them: VRF key of the seed, one epoch, distinct replay tags.
std::vector<Duration> drawn(std::uint64_t seed, std::size_t count, const mix::DelayRules& rules) {
  SeededRandom random{seed};
  const auto pair = crypto::VrfKeyPair::generate(random);
  const auto output = crypto::vrf_output(pair.prove(mix::vrf_input(seed))).value();
  const std::span<const std::byte, 32> key{output.data(), 32};
  std::vector<Duration> result;
  std::array<sphinx::ReplayTag, 50> tags;
  std::array<double, 50> units;
  while (result.size() < count) {
    for (auto& tag : tags) random.fill(tag);
    mix::units_of_tags(key, tags, units);
    for (const auto unit : units) result.push_back(mix::vrf_delay(rules, unit));
  }
  return result;
}

void draw_checks(const mix::DelayRules& rules, const std::string& name, Report& report) {
  double worst = 0;
  std::string each;
  for (const auto seed : seeds) {
    const auto distance = greatest_difference(drawn(seed, 100'000, rules), rules.distribution);
    worst = std::max(worst, distance);
    each += (each.empty() ? "" : ", ") + std::to_string(distance).substr(0, 7);
  }
  report.at_most(
      "mix.delay", "ks_100000_draws_" + name, worst, "greatest difference", 0.03,
      "worst of three fixed seeds (" + each + "): keyed BLAKE2b of 100,000 tags under a VRF output");
}

void sleep_until(Instant time) {
  const auto ns = time.time_since_epoch().count();
  const timespec until{ns / 1'000'000'000, ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

std::uint64_t first_bytes(ByteView frame) {
  std::uint64_t value;
  std::memcpy(&value, frame.data() + mix::frame_header_bytes, sizeof value);
  return value;
}

/// RealTime gives this thread precedence while it lives, if the system allows it: other programs on the
/// machine are not what is measured.
class RealTime {
 public:
  RealTime() {
    const sched_param first{.sched_priority = 10};
    active_ = sched_setscheduler(0, SCHED_RR, &first) == 0;
  }
  ~RealTime() {
    const sched_param none{.sched_priority = 0};
    if (active_) sched_setscheduler(0, SCHED_OTHER, &none);
  }
  RealTime(const RealTime&) = delete;
  RealTime& operator=(const RealTime&) = delete;
  const char* text() const { return active_ ? "SCHED_RR" : "ordinary priority"; }

 private:
  bool active_;
};

/// releases runs a worker in real time: 500 packets a second come; each is known again by its new alpha.
void releases(NodeLoad& load, Report& report) {
  mix::WorkerMesh mesh{1};
  mix::Worker worker{load.options(), mesh, 0, load.random(), instant()};
  load.install(worker);
  std::unordered_map<std::uint64_t, std::size_t> numbers;
  for (std::size_t i = 0; i < load.size(); ++i) numbers[first_bytes(load.unwrapped(i))] = i;
  std::vector<Instant> arrived(load.size());
  std::vector<Duration> held;
  LatencyHistogram errors;
  std::array<mix::Released, 64> out;
  const RealTime priority;
  const auto start = instant() + 10ms;
  for (std::size_t next = 0; next < load.size() || worker.in_flight() > 0;) {
    const auto now = instant();
    for (; next < load.size() && start + 2ms * static_cast<int>(next) <= now; ++next) {
      must(worker.submit(0, load.frame(next), now, load.wall()), "frame refused");
      arrived[next] = now;
    }
    worker.run(now);
    for (std::size_t count; (count = worker.poll_released(out)) > 0;)
      for (const auto& item : std::span{out}.first(count)) {
        const auto number = numbers.at(first_bytes(item.frame));
        held.push_back(instant() - arrived[number]);
        const auto error = held.back() - Duration{static_cast<Duration::rep>(load.wish_ns(number))};
        must(error >= Duration{0}, "released before its time");
        errors.record(static_cast<std::uint64_t>(error.count()));
        worker.done(item.held);
      }
    auto wake = worker.next_deadline().value_or(Instant::max());
    if (next < load.size()) wake = std::min(wake, start + 2ms * static_cast<int>(next));
    if (wake != Instant::max()) sleep_until(wake);
  }
  must(held.size() == load.size(), "packets lost");
  const auto exact = mix::DelayDistribution::exponential(50ms).value();
  report.at_most(
      "mix.delay", "measured_releases", greatest_difference(held, exact), "greatest difference", 0.03,
      std::to_string(held.size()) +
          " packets at 500/s through a worker on a sleeping thread, delays drawn by one fixed seed "
          "(exponential, 50 ms), held times against the exact distribution");
  report.at_most(
      "mix.delay", "release_error_p99_ms", static_cast<double>(errors.percentile(99)) * 1e-6, "ms", 1,
      std::string{"release behind its time, tick 0.25 ms and wake-up included, "} + priority.text() +
          "; p50 " + std::to_string(static_cast<double>(errors.percentile(50)) * 1e-6).substr(0, 5) + " ms");
}

}  // namespace

void run_delay(const Options&, Report& report) {
  mix::DelayRules exponential, mixture;
  exponential.distribution = mix::DelayDistribution::exponential(50ms).value();
  mixture.distribution = mix::DelayDistribution::bins(published).value();
  draw_checks(exponential, "exponential", report);
  draw_checks(mixture, "published_mixture", report);
  const auto values = drawn(seeds[0], 100'000, mixture);
  double cumulative = 0;
  for (const auto& bin : published) {
    const auto inside = std::ranges::count_if(values, [&](auto v) { return v >= bin.from && v < bin.to; });
    const double share = static_cast<double>(inside) / static_cast<double>(values.size()) * 100;
    cumulative += share;
    const auto ms = [](Duration d) { return std::to_string(d / 1ms); };
    report.row(
        "mix.delay", ms(bin.from) + "-" + ms(bin.to),
        {{"frequency_pct", share}, {"cumulative_pct", cumulative}},
        "100,000 draws of the mixture as configured: delay_distribution [[0,10,124],[10,50,237],...]; the "
        "published shares add up to 100.0");
  }
  NodeLoad load{2'000};  // in a quick run too: fewer lie further from the distribution
  releases(load, report);
}

}  // namespace village::bench
