#pragma once
// What the process asks of the operating system once, at start, before any secret is read.
#include <cstdint>
#include <string>

#include "village/base/error.hpp"

namespace village::daemon {

/// forbid_core_dumps keeps keys out of core files and away from other processes of the same user
/// (PR_SET_DUMPABLE 0, RLIMIT_CORE 0).
Result<void> forbid_core_dumps();
/// tune_memory keeps the resident size of an idle daemon small: few malloc arenas, early trimming. Before any
/// thread.
void tune_memory();
/// errno_text is the operating system's sentence for an errno value.
std::string errno_text(std::uint32_t number);
/// describe writes an Error for the operator: "io (Permission denied)".
std::string describe(const Error& error);

}  // namespace village::daemon
