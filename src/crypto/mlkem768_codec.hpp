#pragma once
// Polynomials as bytes: ByteEncode, ByteDecode, Compress and Decompress of FIPS 203 4.2.1, in time that does
// not depend on the values. Coefficients are in [0, q) on both sides.
#include "crypto/mlkem768_kernel.hpp"

namespace village::crypto {

inline constexpr std::size_t mlkem_polynomial_bytes = 384;  // 256 coefficients of 12 bits
inline constexpr unsigned mlkem_u_bits = 10;                // d_u
inline constexpr unsigned mlkem_v_bits = 4;                 // d_v
inline constexpr std::size_t mlkem_u_bytes = 32 * mlkem_u_bits;
inline constexpr std::size_t mlkem_v_bytes = 32 * mlkem_v_bits;

/// divide_by_modulus is value / q for value < 2^22, by multiplication: a division's time may tell its
/// operand.
constexpr std::uint32_t divide_by_modulus(std::uint32_t value) {
  return static_cast<std::uint32_t>((std::uint64_t{value} * 20642679) >> 36);
}
/// compress is Compress_bits: round(2^bits / q * x) mod 2^bits.
constexpr std::uint32_t compress(std::uint32_t x, unsigned bits) {
  return divide_by_modulus((x << bits) + mlkem_modulus / 2) & ((1U << bits) - 1);
}
/// decompress is Decompress_bits: round(q / 2^bits * y).
constexpr std::int16_t decompress(std::uint32_t y, unsigned bits) {
  return static_cast<std::int16_t>((y * mlkem_modulus + (1U << (bits - 1))) >> bits);
}

void encode_12(const Polynomial& f, std::span<std::byte, mlkem_polynomial_bytes> out);
/// decode_12 takes any bytes; numbers from q up are reduced.
void decode_12(std::span<const std::byte, mlkem_polynomial_bytes> in, Polynomial& f);
/// is_reduced_12 tells whether all numbers are below q. Not constant in time: for public keys.
bool is_reduced_12(std::span<const std::byte, mlkem_polynomial_bytes> in);

void compress_u(const Polynomial& f, std::span<std::byte, mlkem_u_bytes> out);
void decompress_u(std::span<const std::byte, mlkem_u_bytes> in, Polynomial& f);
void compress_v(const Polynomial& f, std::span<std::byte, mlkem_v_bytes> out);
void decompress_v(std::span<const std::byte, mlkem_v_bytes> in, Polynomial& f);

/// add_message adds Decompress_1 of the message's bits; read_message is Compress_1.
void add_message(std::span<const std::byte, 32> message, Polynomial& f);
void read_message(const Polynomial& f, std::span<std::byte, 32> message);

/// add and subtract work on whole polynomials.
void add(Polynomial& f, const Polynomial& g);
void subtract(Polynomial& f, const Polynomial& g);

}  // namespace village::crypto
