#pragma once
// Bounds of mixing: what one neighbour, client or authority can make this side keep or do. Source:
// decisions/mix.
#include <cstddef>

namespace village::mix::limits {

inline constexpr std::size_t batch_packets_max = 64;  ///< packets unwrapped together

}  // namespace village::mix::limits
