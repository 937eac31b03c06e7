// mix.resources: what a node's data plane takes.
#include <time.h>
#include <unistd.h>

#include <cstdio>

#include "mix/bench_mix.hpp"
#include "mix/node_load.hpp"
#include "village/mix/delay_audit.hpp"
#include "village/sphinx/create.hpp"

namespace village::bench {
namespace {

using namespace std::chrono_literals;

std::uint64_t resident_bytes() {
  unsigned long total = 0, resident = 0;
  if (auto* file = std::fopen("/proc/self/statm", "r")) {
    must(std::fscanf(file, "%lu %lu", &total, &resident) == 2, "no statm");
    std::fclose(file);
  }
  return std::uint64_t{resident} * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// resident_for fills a filter and gives what the process grew by.
double resident_for(std::size_t tags, const mix::ReplaySizing& sizing) {
  const auto before = resident_bytes();
  mix::ReplayFilter filter{sizing.segments_max, sizing.segment_tags};
  SeededRandom random{tags};
  std::array<mix::Fingerprint, 64> batch;
  while (filter.size() + batch.size() <= tags) {
    for (auto& tag : batch) tag = random.next();
    filter.insert(batch);
  }
  must(!filter.full() && filter.size() + 64 > tags, "filter full");
  keep(filter);
  return static_cast<double>(std::max(resident_bytes() - before, std::uint64_t{0}));
}

void replay_memory(const Options& options, Report& report) {
  const auto small = mix::replay_sizing(10'000);
  mix::ReplayFilter filter{small.segments_max, small.segment_tags};
  report.row(
      "mix.resources", "replay_cache_10k", {{"value", static_cast<double>(filter.bytes()) * 1e-6}},
      "filter of a key sized for 10,000 packets; one sized for more takes 4.19 MB at once, as pages are "
      "touched");
  report.at_most("mix.resources", "replay_bytes_per_tag_10k", static_cast<double>(filter.bytes()) / 1e4,
                 "B/tag", 4.2, "memory of a filter sized for 10,000 packets by those");
  const std::size_t many = options.quick ? std::size_t{10} << 20 : 100'000'000;
  const auto bytes = resident_for(many, mix::replay_sizing(many));
  report.at_most("mix.resources", "replay_bytes_per_tag_100m", bytes / static_cast<double>(many), "B/tag",
                 4.2, "growth of resident memory after " + std::to_string(many) + " tags, by those");
}

std::uint64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

/// steady_cpu is the CPU share of a worker that sleeps between its deadlines while 1,000 packets a second
/// come.
double steady_cpu(NodeLoad& load) {
  mix::WorkerMesh mesh{1};
  mix::Worker worker{load.options(), mesh, 0, load.random(), instant()};
  load.install(worker);
  std::array<mix::Released, 64> out;
  const auto start = instant() + 5ms;
  const auto cpu_start = thread_cpu_ns();
  for (std::size_t next = 0; next < load.size() || worker.in_flight() > 0;) {
    const auto now = instant();
    for (; next < load.size() && start + 1ms * static_cast<int>(next) <= now; ++next)
      must(worker.submit(0, load.frame(next), now, load.wall()), "frame refused");
    worker.run(now);
    for (std::size_t count; (count = worker.poll_released(out)) > 0;)
      for (const auto& item : std::span{out}.first(count)) worker.done(item.held);
    auto wake = worker.next_deadline().value_or(Instant::max());
    if (next < load.size()) wake = std::min(wake, start + 1ms * static_cast<int>(next));
    if (wake == Instant::max()) continue;
    const auto ns = wake.time_since_epoch().count();
    const timespec until{ns / 1'000'000'000, ns % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
  const auto cpu = static_cast<double>(thread_cpu_ns() - cpu_start);
  return cpu * 100 / static_cast<double>((instant() - start).count());
}

void vrf_costs(Report& report) {
  SeededRandom random{3};
  const auto pair = crypto::VrfKeyPair::generate(random);
  crypto::VrfProof proof{};
  const auto start = now_ns();
  for (std::uint64_t i = 0; i < 200; ++i) proof = pair.prove(mix::vrf_input(i));
  const auto proved = now_ns();
  for (int i = 0; i < 200; ++i)
    must(mix::DelayAudit::open(pair.public_key, {199, proof}).has_value(), "a proof that does not verify");
  const auto verified = now_ns();
  std::array<sphinx::ReplayTag, 64> tags;
  std::array<double, 64> units;
  for (auto& tag : tags) random.fill(tag);
  const auto output = crypto::vrf_output(proof).value();
  for (int i = 0; i < 1'000; ++i) {
    mix::units_of_tags(std::span<const std::byte, 32>{output.data(), 32}, tags, units);
    keep(units[0]);
  }
  const auto drew = now_ns();
  const auto us = [](std::uint64_t ns, double count) { return static_cast<double>(ns) * 1e-3 / count; };
  report.shown("mix.resources", "vrf_prove_us", us(proved - start, 200), "us", "once for each epoch");
  report.shown("mix.resources", "vrf_verify_us", us(verified - proved, 200), "us",
               "an auditor, once for each epoch");
  report.shown("mix.resources", "vrf_delay_us", us(drew - verified, 64'000), "us",
               "each packet, in batches of 64");
}

/// cover_costs: a loop packet through three mixes back to the sender, as it is made when its time has come.
void cover_costs(Report& report) {
  SeededRandom random{4};
  std::vector<sphinx::Hop> hops;
  for (unsigned i = 0; i < 4; ++i) {
    const auto address =
        sphinx::node_address(Ipv4Address{std::byte{10}, std::byte{0}, std::byte{2}, std::byte(i)}, 9'001);
    hops.push_back({crypto::X25519KeyPair::generate(random).public_key, address, 50'000'000});
  }
  Bytes packet(mix::packet_bytes(mix::Profile::n2048)), message(100);
  const auto start = now_ns();
  constexpr int count = 1'000;
  for (int i = 0; i < count; ++i)
    must(sphinx::create_packet(hops, {}, {}, message, packet, random).has_value(), "no packet");
  const auto us = static_cast<double>(now_ns() - start) * 1e-3 / count;
  report.row("mix.resources", "cover_traffic_queue", {{"value", static_cast<double>(packet.size()) / 1'024}},
             "cover is made when its time has come: one packet, no queue");
  report.shown(
      "mix.resources", "cover_packet_us", us, "us",
      "a loop packet of 4 hops; one in 200 ms is " + std::to_string(us * 5e-4).substr(0, 5) + " % of a core");
}

}  // namespace

void run_resources(const Options& options, Report& report) {
  replay_memory(options, report);
  NodeLoad load{options.quick ? 2'000U : 10'000U};
  report.row("mix.resources", "per_packet_buffer", {{"value", 2'112.0 / 1'024}},
             "a place of the arena: 2,048 bytes and a cache line in front for the frame's header");
  report.row("mix.resources", "vrf_state",
             {{"value", static_cast<double>(sizeof(mix::EpochKeys) + sizeof(crypto::VrfProof)) / 1'024}},
             "keys, VRF secret and proof of one epoch");
  vrf_costs(report);
  cover_costs(report);
  const auto cpu = steady_cpu(load);
  report.shown("mix.resources", "cpu_worker_at_1000_pps", cpu, "% of a core",
               std::to_string(load.size()) +
                   " packets at 1,000/s with delays of 50 ms, a worker alone on a thread that sleeps until "
                   "its next deadline; cpu_at_1000_pps has the links, too");
}

}  // namespace village::bench
