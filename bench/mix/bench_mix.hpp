#pragma once
// The tables mix.*: one file for each.
#include "support/report.hpp"

namespace village::bench {

/// run_single_core: packets a second of one core, alone and beside the crate.
void run_single_core(const Options& options, Report& report);

}  // namespace village::bench
