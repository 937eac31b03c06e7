#include "crypto/mlkem768_codec.hpp"

namespace village::crypto {
namespace {

constexpr std::int16_t q = mlkem_modulus;

std::int16_t positive(int a) { return static_cast<std::int16_t>(a + ((a >> 15) & q)); }
std::int16_t below_modulus(int a) { return positive(a - q); }

/// veil keeps the compiler from seeing that a mask has two values only: it may not turn it into a branch.
std::int16_t veil(std::int16_t mask) {
  asm("" : "+r"(mask));  // NOLINT: empty
  return mask;
}

std::uint32_t at(ByteView in, std::size_t index) { return std::to_integer<std::uint32_t>(in[index]); }

}  // namespace

void encode_12(const Polynomial& f, std::span<std::byte, mlkem_polynomial_bytes> out) {
  for (std::size_t i = 0; i < 128; ++i) {
    const auto a = static_cast<std::uint32_t>(f.c[2 * i]), b = static_cast<std::uint32_t>(f.c[2 * i + 1]);
    out[3 * i] = static_cast<std::byte>(a);
    out[3 * i + 1] = static_cast<std::byte>(a >> 8 | b << 4);
    out[3 * i + 2] = static_cast<std::byte>(b >> 4);
  }
}

void decode_12(std::span<const std::byte, mlkem_polynomial_bytes> in, Polynomial& f) {
  for (std::size_t i = 0; i < 128; ++i) {
    const auto word = at(in, 3 * i) | at(in, 3 * i + 1) << 8 | at(in, 3 * i + 2) << 16;
    f.c[2 * i] = below_modulus(static_cast<int>(word & 0xfff));
    f.c[2 * i + 1] = below_modulus(static_cast<int>(word >> 12));
  }
}

bool is_reduced_12(std::span<const std::byte, mlkem_polynomial_bytes> in) {
  bool reduced = true;
  for (std::size_t i = 0; i < 128; ++i) {
    const auto word = at(in, 3 * i) | at(in, 3 * i + 1) << 8 | at(in, 3 * i + 2) << 16;
    reduced = reduced && (word & 0xfff) < q && word >> 12 < q;
  }
  return reduced;
}

void compress_u(const Polynomial& f, std::span<std::byte, mlkem_u_bytes> out) {
  for (std::size_t i = 0; i < 64; ++i) {
    std::uint64_t word = 0;
    for (std::size_t n = 0; n < 4; ++n) {
      const auto x = static_cast<std::uint32_t>(f.c[4 * i + n]);
      word |= std::uint64_t{compress(x, mlkem_u_bits)} << (mlkem_u_bits * n);
    }
    for (std::size_t n = 0; n < 5; ++n) out[5 * i + n] = static_cast<std::byte>(word >> (8 * n));
  }
}

void decompress_u(std::span<const std::byte, mlkem_u_bytes> in, Polynomial& f) {
  for (std::size_t i = 0; i < 64; ++i) {
    std::uint64_t word = 0;
    for (std::size_t n = 0; n < 5; ++n) word |= std::uint64_t{at(in, 5 * i + n)} << (8 * n);
    for (std::size_t n = 0; n < 4; ++n) {
      f.c[4 * i + n] = decompress(word >> (mlkem_u_bits * n) & 0x3ff, mlkem_u_bits);
    }
  }
}

void compress_v(const Polynomial& f, std::span<std::byte, mlkem_v_bytes> out) {
  for (std::size_t i = 0; i < 128; ++i) {
    const auto a = static_cast<std::uint32_t>(f.c[2 * i]), b = static_cast<std::uint32_t>(f.c[2 * i + 1]);
    out[i] = static_cast<std::byte>(compress(a, mlkem_v_bits) | compress(b, mlkem_v_bits) << 4);
  }
}

void decompress_v(std::span<const std::byte, mlkem_v_bytes> in, Polynomial& f) {
  for (std::size_t i = 0; i < 128; ++i) {
    f.c[2 * i] = decompress(at(in, i) & 15, mlkem_v_bits);
    f.c[2 * i + 1] = decompress(at(in, i) >> 4, mlkem_v_bits);
  }
}

void add_message(std::span<const std::byte, 32> message, Polynomial& f) {
  constexpr std::int16_t one = decompress(1, 1);
  for (std::size_t i = 0; i < 256; ++i) {
    const auto mask = veil(static_cast<std::int16_t>(-static_cast<int>(at(message, i / 8) >> (i % 8) & 1)));
    f.c[i] = below_modulus(f.c[i] + (mask & one));
  }
}

void read_message(const Polynomial& f, std::span<std::byte, 32> message) {
  for (std::size_t i = 0; i < 32; ++i) {
    std::uint32_t bits = 0;
    for (std::size_t n = 0; n < 8; ++n) bits |= compress(static_cast<std::uint32_t>(f.c[8 * i + n]), 1) << n;
    message[i] = static_cast<std::byte>(bits);
  }
}

void add(Polynomial& f, const Polynomial& g) {
  for (std::size_t i = 0; i < 256; ++i) f.c[i] = below_modulus(f.c[i] + g.c[i]);
}

void subtract(Polynomial& f, const Polynomial& g) {
  for (std::size_t i = 0; i < 256; ++i) f.c[i] = positive(f.c[i] - g.c[i]);
}

}  // namespace village::crypto
