#pragma once
// Fragments: how a sealed message is cut. All but the last have the same size, which the profile fixes.
#include <algorithm>
#include <cstdint>

#include "village/base/bytes.hpp"
#include "village/base/check.hpp"

namespace village::mix {

/// fragment_count is how many pieces of `fragment_bytes` a sealed message makes; at least 1.
constexpr std::size_t fragment_count(std::size_t sealed_bytes, std::size_t fragment_bytes) {
  return sealed_bytes == 0 ? 1 : (sealed_bytes + fragment_bytes - 1) / fragment_bytes;
}

/// fragment_of is the piece at `index` < fragment_count (VG_CHECKed), a view.
inline ByteView fragment_of(ByteView sealed, std::size_t index, std::size_t fragment_bytes) {
  VG_CHECK(index < fragment_count(sealed.size(), fragment_bytes));
  const auto rest = sealed.subspan(index * fragment_bytes);
  return rest.first(std::min(rest.size(), fragment_bytes));
}

}  // namespace village::mix
