#pragma once
// Allocations counted at malloc, for the whole program that links this.
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace village::bench {

struct Allocations {
  std::uint64_t count = 0;  ///< calls that returned memory
  std::uint64_t frees = 0;
  std::uint64_t bytes = 0;      ///< requested, in all
  std::int64_t live_bytes = 0;  ///< usable size of what is out now
  std::int64_t live_bytes_peak = 0;
};

/// allocations reads the counters (exact on one thread, sums of relaxed atomics on several).
Allocations allocations();
/// own_allocations is the count of this thread's calls; another thread may read it for as long as this one
/// lives.
const std::atomic<std::uint64_t>& own_allocations();
/// reset_peak starts a new peak from what is live now.
void reset_peak();

}  // namespace village::bench
