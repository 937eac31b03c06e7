#pragma once
// The parts of bench_proxy.
#include "support/report.hpp"

namespace village::bench {

void run_baseline(const Options& options, Report& report);
void run_stress(const Options& options, Report& report);
/// run_relay is the check socks5_htx_relay_vs_raw_pipeline; needs options.villaged.
void run_relay(const Options& options, Report& report);

// The published shapes, shared by both tables (proxy reference, section 1): client and echo server in one
// process.
double connections_per_s(std::uint64_t connections, const std::string& congestion);
double large_transfer_mib_per_s(std::uint64_t rounds, const std::string& congestion);

}  // namespace village::bench
