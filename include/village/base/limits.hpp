#pragma once
// Limits: every bound of the house is a constant in its module's limits.hpp and a row of `villaged limits`.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace village::limits {

inline constexpr std::size_t cores_max = 64;  ///< worker threads of one process
inline constexpr std::size_t cache_line_bytes = 64;

/// Row is one bound: how many of something, and what one of it may cost in memory (0 = nothing of note).
struct Row {
  std::string_view module;  ///< "htx"
  std::string_view name;    ///< "streams_per_session_max"
  std::uint64_t count;
  std::uint64_t bytes_each;
  std::string_view why;  ///< one clause for the operator
};

/// declare adds rows at static-initialisation time; rows must have static storage. Returns true so that it
/// can initialise a constant: `static const bool declared = limits::declare(rows);`
bool declare(const Row* rows, std::size_t count);
template <std::size_t N>
bool declare(const Row (&rows)[N]) {
  return declare(rows, N);
}
/// all lists every declared row, by module and name.
std::vector<Row> all();

}  // namespace village::limits
