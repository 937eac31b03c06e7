#pragma once
// Bounds of the codecs.
#include <cstddef>

namespace village::wire::limits {

inline constexpr std::size_t cbor_bytes_max =
    64 * 1024;                                       ///< one deterministic CBOR item as it stands on the wire
inline constexpr std::size_t cbor_depth_max = 16;    ///< arrays and maps inside one another
inline constexpr std::size_t cbor_items_max = 4096;  ///< values in one item, keys counted

}  // namespace village::wire::limits
