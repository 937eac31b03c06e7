#pragma once
// Bounds of the directory's service: what those who speak HTTP to an authority can make it keep.
#include <cstddef>
#include <cstdint>

#include "village/mix/directory_limits.hpp"

namespace village::service::limits {

inline constexpr std::size_t mix_http_head_bytes_max = 4'096;
inline constexpr std::size_t mix_http_linger_bytes_max = 64 * 1024;
inline constexpr std::uint32_t mix_http_connections_max = 256;       ///< at an authority
inline constexpr std::uint32_t mix_http_connections_share_max = 64;  ///< of those, from one /24 or /56
/// Statements are large, and only bodies that an authority has signed are read at all.
inline constexpr std::uint32_t mix_http_statements_max = 2 * mix::limits::authorities_max;
inline constexpr std::size_t mix_http_signatures_bytes_max = 16 * 1024;
inline constexpr std::size_t mix_http_sources_max = 4'096;  ///< networks whose requests are counted
inline constexpr std::size_t mix_posts_max = 1'024;         ///< messages to other authorities under way

}  // namespace village::service::limits
