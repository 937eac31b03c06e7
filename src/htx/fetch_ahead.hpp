#pragma once
// fetch_ahead: ask for memory that will be touched soon.
#include <cstddef>

namespace village::htx {

inline constexpr std::size_t cache_line_bytes = 64;

/// fetch_ahead asks for the lines of `bytes` bytes at `at`, which need not be valid memory. The empty asm
/// keeps g++ 12 from taking a function that only prefetches for one without effect, and dropping the calls to
/// it.
inline void fetch_ahead(const void* at, std::size_t bytes = 1) {
  const auto* line = static_cast<const char*>(at);
  for (std::size_t offset = 0; offset < bytes; offset += cache_line_bytes) {
    __builtin_prefetch(line + offset);
    asm volatile("" : : "r"(line));
  }
}

}  // namespace village::htx
