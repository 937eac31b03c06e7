#pragma once
// The arithmetic of ML-KEM-768 that is worth a kernel of its own: polynomials of 256 coefficients modulo
// q = 3329, their number-theoretic transform, and sampling from SHAKE. Source: FIPS 203 section 4.
//
// Every kernel takes and gives coefficients in [0, q), so that any two of them agree bit for bit.
#include <array>
#include <cstdint>
#include <span>

#include "village/base/bytes.hpp"

namespace village::crypto {

inline constexpr std::int16_t mlkem_modulus = 3329;
inline constexpr std::size_t mlkem_rank = 3;  // k of ML-KEM-768
inline constexpr std::size_t mlkem_matrix = mlkem_rank * mlkem_rank;

struct alignas(32) Polynomial {
  std::array<std::int16_t, 256> c;
};
using PolynomialVector = std::span<const Polynomial, mlkem_rank>;

using Matrix = std::array<Polynomial, mlkem_matrix>;

/// MlkemKernel is one implementation of the arithmetic.
struct MlkemKernel {
  const char* name;
  /// NTT, algorithm 9.
  void (*transform)(Polynomial& f);
  /// NTT^-1, algorithm 10.
  void (*transform_back)(Polynomial& f);
  /// a[0] b[0] + a[1] b[1] + a[2] b[2] of transformed polynomials, algorithms 11 and 12.
  void (*dot)(PolynomialVector a, PolynomialVector b, Polynomial& out);
  /// SampleNTT (algorithm 7) of the nine polynomials of the matrix: out[3 i + j] = SampleNTT(rho | j | i), or
  /// of its transpose: SampleNTT(rho | i | j).
  void (*sample_matrix)(std::span<const std::byte, 32> rho, bool transposed, Matrix& out);
  /// SamplePolyCBD_2 (algorithm 8) of PRF(seed, first_nonce), PRF(seed, first_nonce + 1), ...
  void (*sample_noise)(std::span<const std::byte, 32> seed, std::uint8_t first_nonce,
                       std::span<Polynomial> out);
};

/// portable_kernel runs everywhere.
const MlkemKernel& portable_kernel();
/// avx2_kernel is nullptr where the CPU has no AVX2.
const MlkemKernel* avx2_kernel();
/// active_kernel is the fastest that this CPU runs, chosen once.
const MlkemKernel& active_kernel();

// What the kernels share.

/// montgomery_factor is 2^16 mod q, centred.
inline constexpr std::int16_t montgomery_factor = -1044;
/// inverse_modulus is q^-1 mod 2^16, as a signed number.
inline constexpr std::int16_t inverse_modulus = -3327;

constexpr int centred(std::int64_t value) {
  const auto r = static_cast<int>(((value % mlkem_modulus) + mlkem_modulus) % mlkem_modulus);
  return r > mlkem_modulus / 2 ? r - mlkem_modulus : r;
}

/// mlkem_zetas holds 17^BitRev7(i) mod q times 2^16 (FIPS 203 appendix A, in Montgomery form).
inline constexpr std::array<std::int16_t, 128> mlkem_zetas = [] {
  std::array<std::int16_t, 128> zetas{};
  for (unsigned i = 0; i < zetas.size(); ++i) {
    unsigned reversed = 0;
    for (unsigned bit = 0; bit < 7; ++bit) reversed |= (i >> bit & 1) << (6 - bit);
    std::int64_t power = 65536 % mlkem_modulus;
    for (unsigned n = 0; n < reversed; ++n) power = power * 17 % mlkem_modulus;
    zetas[i] = static_cast<std::int16_t>(centred(power));
  }
  return zetas;
}();
static_assert(mlkem_zetas[0] == montgomery_factor && centred(65536) == montgomery_factor);
static_assert(static_cast<std::uint16_t>(inverse_modulus * mlkem_modulus) == 1);

/// The two constants below are in Montgomery form: 2^32 mod q turns x / 2^16 into x, and 2^16 / 128 divides
/// by 128.
inline constexpr std::int16_t mlkem_restore = static_cast<std::int16_t>(centred(std::int64_t{1} << 32));
inline constexpr std::int16_t mlkem_divide_by_128 = static_cast<std::int16_t>(centred(512));

/// parse_uniform takes 12-bit numbers below q from `in` (a multiple of 3 bytes), as SampleNTT does; `count`
/// of 256 are there already. Returns how many there are then. Its input is public: it may take time by it.
std::size_t parse_uniform(ByteView in, Polynomial& out, std::size_t count);
/// binomial is SamplePolyCBD_2 of 128 bytes.
void binomial(const std::byte* in, Polynomial& out);

}  // namespace village::crypto
