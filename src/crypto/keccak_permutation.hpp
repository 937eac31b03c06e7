#pragma once
// Keccak-f[1600], once and four times at once.
#include <array>
#include <cstdint>

namespace village::crypto {

inline constexpr std::size_t keccak_rounds = 24;
extern const std::array<std::uint64_t, keccak_rounds> keccak_round_constants;

/// KeccakState is the 25 lanes, lane x + 5 y as FIPS 202 3.1.2 numbers them.
using KeccakState = std::array<std::uint64_t, 25>;

/// KeccakState4 is four states, lane by lane: [lane][state].
struct alignas(32) KeccakState4 {
  std::array<std::array<std::uint64_t, 4>, 25> lanes{};
};

void keccak_permute(KeccakState& state);
/// keccak_permute_x4 is keccak_permute of each of the four states. Only where the CPU has AVX2.
void keccak_permute_x4_avx2(KeccakState4& states);

}  // namespace village::crypto
