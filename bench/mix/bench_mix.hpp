#pragma once
// The tables mix.*: one file for each.
#include "support/report.hpp"

namespace village::bench {

/// run_single_core: packets a second of one core, alone and beside the crate.
void run_single_core(const Options& options, Report& report);
/// run_worker_rate: mix.single_core too, a whole worker against OpenSSL's X25519.
void run_worker_rate(const Options& options, Report& report);
/// run_end_to_end: a node with its links on one core.
void run_end_to_end(const Options& options, Report& report);
/// run_node_cpu: mix.resources, the same node at 1,000 packets a second.
void run_node_cpu(const Options& options, Report& report);
void run_scaling(const Options& options, Report& report);
void run_latency(const Options& options, Report& report);
void run_delay(const Options& options, Report& report);
void run_resources(const Options& options, Report& report);
/// run_node_memory: mix.resources too, a real daemon.
void run_node_memory(const Options& options, Report& report);

}  // namespace village::bench
