#pragma once
// The parts of bench_mix.
#include "support/report.hpp"

namespace village::bench {

void run_worker_rate(const Options& options, Report& report);  ///< mix.single_core, against OpenSSL's X25519
void run_scaling(const Options& options, Report& report);
void run_latency(const Options& options, Report& report);
void run_delay(const Options& options, Report& report);
void run_resources(const Options& options, Report& report);

}  // namespace village::bench
