// mix.single_core, end_to_end_vs_unwrap: a node with its HTX links on one core, a generator and a sink on the
// other; packets made before, delays on, nothing lost, nothing allocated. And mix.resources, cpu_at_1000_pps:
// the same node at a steady thousand packets a second.
#include <array>
#include <chrono>

#include "mix/bench_mix.hpp"
#include "mix/node_rig.hpp"
#include "mix/packet_set.hpp"
#include "service/mix_core.hpp"
#include "village/net/clock.hpp"

namespace village::bench {
namespace {

using namespace std::chrono_literals;

std::string drops_text(const mix::DropCounts& drops) {
  std::string text;
  for (std::size_t i = 0; i < mix::drop_count; ++i) {
    if (drops.by_reason[i] == 0) continue;
    text +=
        std::string{mix::name(static_cast<mix::Drop>(i))} + " " + std::to_string(drops.by_reason[i]) + " ";
  }
  return text.empty() ? "none" : text;
}

/// alone gives what a worker unwraps in memory, a second of wall time and of its CPU time.
std::pair<double, double> alone(RigPackets& packets) {
  mix::WorkerMesh mesh{1};
  auto options = service::worker_options(NodeRig::options(packets), 1);
  mix::Worker worker{options, mesh, 0, packets.random,
                     Instant{Duration{static_cast<Duration::rep>(now_ns())}}};
  must(worker.install(packets.keys, std::make_unique<mix::ReplayShard>(mix::ReplayFilter{1}, nullptr))
           .has_value(),
       "no room");
  worker.set_routes(packets.routes());
  const auto wall = net::SystemClock{}.wall();
  std::array<mix::Released, 64> out;
  std::size_t released = 0;
  const auto start = now_ns();
  const auto cpu = thread_seconds();
  for (std::size_t next = 0; next < packets.count();) {
    const auto now = Instant{Duration{static_cast<Duration::rep>(now_ns())}};
    for (; next < packets.count() && !worker.batch_full(); ++next)
      must(worker.submit(0, packets.frame(next), now, wall), "refused");
    worker.run(now);
    for (std::size_t count; (count = worker.poll_released(out)) > 0;) {
      for (const auto& item : std::span{out}.first(count)) worker.done(item.held);
      released += count;
    }
  }
  must(worker.counters().drops.total() == 0 && released != 0, "packets dropped");
  const auto count = static_cast<double>(packets.count());
  return {count * 1e9 / static_cast<double>(now_ns() - start), count / (thread_seconds() - cpu)};
}

}  // namespace

void run_end_to_end(const Options& options, Report& report) {
  RigPackets packets{options.quick ? 16'384U : 65'536U, 50ms};
  std::vector<double> walls, cpus;
  const auto measure = [&] {
    for (int i = 0; i < 3; ++i) {
      const auto [wall, cpu] = alone(packets);
      walls.push_back(wall);
      cpus.push_back(cpu);
    }
  };
  measure();
  NodeRig::Outcome outcome;
  {
    NodeRig rig{packets};
    outcome = rig.run(0s, 1s, options.quick ? 5s : 60s);
  }
  measure();
  const auto unwrap = spread(walls), unwrap_cpu = spread(cpus);
  must(outcome.known != 0, "no packet came out as sphinx::unwrap makes it");
  const std::string how =
      "a node with HTX links on CPU 0, generator and sink on CPU 1, " + std::to_string(packets.count()) +
      " packets over and over (a fresh replay filter each time), exponential delays of "
      "50 ms, " +
      std::to_string(outcome.packets) +
      " packets measured, by wall time; over the median of 6 runs of its worker in memory "
      "before and after";
  const auto* const table = "mix.single_core";
  report.at_least(table, "end_to_end_vs_unwrap", outcome.per_s / unwrap.median, "ratio", 0.5, how);
  report.shown(table, "end_to_end_vs_unwrap_cpu", outcome.per_cpu_s / unwrap_cpu.median, "ratio",
               "the same by CPU time of the node's thread: others may share the machine");
  report.shown(table, "end_to_end_packets_per_s", outcome.per_s, "1/s", "the same run, by wall time");
  report.at_most(table, "end_to_end_lost", static_cast<double>(outcome.sent - outcome.arrived), "packets", 0,
                 std::to_string(outcome.sent) + " sent; dropped by the worker: " + drops_text(outcome.drops));
  const auto count = static_cast<double>(outcome.packets);
  // The rig's own: its call across the cores for each round of the packets, a handful of 65,536.
  report.at_most(table, "end_to_end_allocations", static_cast<double>(outcome.node_allocations) / count,
                 "per packet", 0.001,
                 std::to_string(outcome.node_allocations) + " calls of malloc on the node's thread for " +
                     std::to_string(outcome.packets) + " packets; without " +
                     std::to_string(outcome.renewal_allocations) +
                     " of the bench's fresh replay filters. Above 0 is what does not come with each packet");
  report.shown(table, "end_to_end_peer_allocations", static_cast<double>(outcome.peer_allocations) / count,
               "per packet", "the same on the thread of generator and sink");
}

void run_node_cpu(const Options& options, Report& report) {
  const auto time = options.quick ? 5s : 60s;
  RigPackets packets{options.quick ? 8'192U : 65'536U, 50ms};
  NodeRig rig{packets};
  const auto outcome = rig.run(1ms, 2s, time);
  must(outcome.known != 0 && outcome.sent == outcome.arrived, "packets lost at 1,000 a second");
  const auto cpu = outcome.node_cpu * 100;
  const auto how = "CPU time of the node's thread, links and worker, over " + std::to_string(time.count()) +
                   " s of wall time at " + std::to_string(static_cast<int>(outcome.per_s + 0.5)) +
                   " packets/s, one a millisecond, delays of 50 ms; generator and sink on another thread";
  report.row("mix.resources", "cpu_steady", {{"value", cpu}}, how);
  report.at_most("mix.resources", "cpu_at_1000_pps", cpu, "% of a core", 12, how);
  report.at_most("mix.resources", "allocations_at_1000_pps",
                 static_cast<double>(outcome.node_allocations) / static_cast<double>(outcome.packets),
                 "per packet", 0.001,
                 std::to_string(outcome.node_allocations) + " calls of malloc on the node's thread");
}

}  // namespace village::bench
