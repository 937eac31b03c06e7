// The portable kernel. Signed 16-bit coefficients; products are reduced by Montgomery's method, sums by
// Barrett's, neither with a branch or a division.
#include <algorithm>

#include "crypto/mlkem768_kernel.hpp"
#include "village/crypto/keccak.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {
namespace {

constexpr std::int16_t q = mlkem_modulus;

/// reduce gives a number in (-q, q) congruent to a / 2^16, for |a| < 2^15 q.
std::int16_t reduce(std::int32_t a) {
  const auto low = static_cast<std::int16_t>(a);
  const auto t = static_cast<std::int16_t>(low * inverse_modulus);
  return static_cast<std::int16_t>((a - std::int32_t{t} * q) >> 16);
}

std::int16_t multiply(std::int16_t a, std::int16_t b) { return reduce(std::int32_t{a} * b); }

/// canonical gives the number in [0, q) congruent to any 16-bit a.
std::int16_t canonical(std::int16_t a) {
  // 20159 / 2^26 is 1 / q and a little more: the quotient is right or one too small, so that 0 <= r <= q.
  const auto quotient = (std::int32_t{a} * 20159) >> 26;
  const auto r = static_cast<std::int16_t>(a - quotient * q - q);
  return static_cast<std::int16_t>(r + ((r >> 15) & q));
}

/// positive adds q to a number in (-q, 0).
std::int16_t positive(std::int16_t a) { return static_cast<std::int16_t>(a + ((a >> 15) & q)); }

void transform(Polynomial& f) {
  auto& c = f.c;
  std::size_t i = 1;
  for (std::size_t half = 128; half >= 2; half /= 2) {
    for (std::size_t start = 0; start < 256; start += 2 * half) {
      const auto zeta = mlkem_zetas[i++];
      for (std::size_t j = start; j < start + half; ++j) {
        const auto t = multiply(zeta, c[j + half]);
        c[j + half] = static_cast<std::int16_t>(c[j] - t);
        c[j] = static_cast<std::int16_t>(c[j] + t);  // seven layers: below 8 q < 2^15
      }
    }
  }
  for (auto& each : c) each = canonical(each);
}

void transform_back(Polynomial& f) {
  auto& c = f.c;
  std::size_t i = 127;
  for (std::size_t half = 2; half <= 128; half *= 2) {
    for (std::size_t start = 0; start < 256; start += 2 * half) {
      const auto zeta = mlkem_zetas[i--];
      for (std::size_t j = start; j < start + half; ++j) {
        const auto t = c[j];
        c[j] = canonical(static_cast<std::int16_t>(t + c[j + half]));
        c[j + half] = multiply(zeta, static_cast<std::int16_t>(c[j + half] - t));
      }
    }
  }
  for (auto& each : c) each = positive(multiply(each, mlkem_divide_by_128));
}

/// dot: the products of three pairs stay below 6 q^2 < 2^15 q, so that one reduction serves them all.
void dot(PolynomialVector a, PolynomialVector b, Polynomial& out) {
  for (std::size_t i = 0; i < 256; i += 2) {
    const auto root = mlkem_zetas[64 + i / 4];
    const auto gamma = static_cast<std::int16_t>(i % 4 == 0 ? root : -root);
    std::int32_t even = 0, odd = 0;
    for (std::size_t n = 0; n < mlkem_rank; ++n) {
      const std::int32_t a0 = a[n].c[i], a1 = a[n].c[i + 1], b0 = b[n].c[i], b1 = b[n].c[i + 1];
      even += a0 * b0 + a1 * multiply(b[n].c[i + 1], gamma);
      odd += a0 * b1 + a1 * b0;
    }
    out.c[i] = positive(multiply(reduce(even), mlkem_restore));
    out.c[i + 1] = positive(multiply(reduce(odd), mlkem_restore));
  }
}

void sample_uniform(std::span<const std::byte, 32> rho, std::size_t first, std::size_t second,
                    Polynomial& out) {
  constexpr std::size_t block = 168;
  auto stream = Shake::shake128();
  const ByteArray<2> place{static_cast<std::byte>(first), static_cast<std::byte>(second)};
  stream.absorb(rho);
  stream.absorb(place);
  ByteArray<block> buffer;
  for (std::size_t count = 0; count < out.c.size();) {
    stream.squeeze(buffer);
    count = parse_uniform(buffer, out, count);
  }
}

void sample_matrix(std::span<const std::byte, 32> rho, bool transposed, Matrix& out) {
  for (std::size_t n = 0; n < mlkem_matrix; ++n) {
    const auto row = n / mlkem_rank, column = n % mlkem_rank;
    sample_uniform(rho, transposed ? row : column, transposed ? column : row, out[n]);
  }
}

void sample_noise(std::span<const std::byte, 32> seed, std::uint8_t first_nonce, std::span<Polynomial> out) {
  for (auto& polynomial : out) {
    const auto nonce = static_cast<std::byte>(first_nonce++);
    auto stream = Shake::shake256();
    stream.absorb(seed);
    stream.absorb({&nonce, 1});
    Secret<128> bytes;
    stream.squeeze(bytes.fill());
    binomial(bytes.view().data(), polynomial);
  }
}

}  // namespace

std::size_t parse_uniform(ByteView in, Polynomial& out, std::size_t count) {
  const auto* bytes = octets(in);
  for (std::size_t i = 0; i + 3 <= in.size() && count < out.c.size(); i += 3) {
    const unsigned a = bytes[i], b = bytes[i + 1], c = bytes[i + 2];
    const unsigned first = a | (b & 15U) << 8;
    const unsigned second = b >> 4 | c << 4;
    out.c[count] = static_cast<std::int16_t>(first);
    count += first < q ? 1 : 0;
    if (count == out.c.size()) break;
    out.c[count] = static_cast<std::int16_t>(second);
    count += second < q ? 1 : 0;
  }
  return count;
}

void binomial(const std::byte* in, Polynomial& out) {
  for (std::size_t i = 0; i < 32; ++i) {
    std::uint32_t word = 0;
    for (std::size_t n = 0; n < 4; ++n) word |= std::to_integer<std::uint32_t>(in[4 * i + n]) << (8 * n);
    const std::uint32_t sums = (word & 0x55555555) + (word >> 1 & 0x55555555);  // 16 sums of two bits each
    for (std::size_t n = 0; n < 8; ++n) {
      const auto difference = static_cast<std::int16_t>((sums >> (4 * n) & 3) - (sums >> (4 * n + 2) & 3));
      out.c[8 * i + n] = positive(difference);
    }
  }
}

const MlkemKernel& portable_kernel() {
  static constexpr MlkemKernel kernel{"portable", transform,     transform_back,
                                      dot,        sample_matrix, sample_noise};
  return kernel;
}

const MlkemKernel& active_kernel() {
  static const MlkemKernel& chosen = avx2_kernel() != nullptr ? *avx2_kernel() : portable_kernel();
  return chosen;
}

}  // namespace village::crypto
