// Tables mix.*: one file for each.
#include "mix/bench_mix.hpp"

int main(int argc, char** argv) {
  using namespace village::bench;
  const auto options = parse_options(argc, argv);
  Report report{"mix"};
  if (options.wants("mix.single_core")) {
    run_single_core(options, report);  // parts alone, crate, phases
    if (options.wants_part("worker_rate")) run_worker_rate(options, report);
    if (options.wants_part("end_to_end")) run_end_to_end(options, report);
  }
  if (options.wants("mix.scaling")) run_scaling(options, report);
  if (options.wants("mix.latency")) run_latency(options, report);
  if (options.wants("mix.delay")) run_delay(options, report);
  if (options.wants("mix.resources")) {
    if (options.wants_part("resources")) run_resources(options, report);
    if (options.wants_part("node_cpu")) run_node_cpu(options, report);
    if (options.wants_part("node_memory")) run_node_memory(options, report);
  }
}
