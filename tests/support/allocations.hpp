#pragma once
// Counts calls to malloc and its kin, so that a test can say "this path allocates nothing", OpenSSL's calls
// included.
#include <cstdint>

namespace village::test {

/// allocation_count is the number of allocations this thread made since it started.
std::uint64_t allocation_count();

}  // namespace village::test
