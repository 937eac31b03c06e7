#pragma once
// keyed_mix spreads 64 bits over 64 bits under a key that nobody outside knows, so that a peer that chooses
// its own keys cannot choose their places in a table. Two folded multiplications (wyhash's step); about 2 ns.
#include <cstdint>

namespace village::htx {

inline std::uint64_t folded_product(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const auto product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t keyed_mix(std::uint64_t value, std::uint64_t key_0, std::uint64_t key_1) {
  constexpr std::uint64_t odd = 0x9E37'79B9'7F4A'7C15;
  return folded_product(folded_product(value ^ key_0, key_1 | 1) ^ odd, key_0 ^ odd);
}

}  // namespace village::htx
