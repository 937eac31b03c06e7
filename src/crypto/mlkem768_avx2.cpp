// The AVX2 kernel: sixteen coefficients at a time, SHAKE of four streams at a time. Every function carries
// the target attribute, so that nothing else of the program is compiled for AVX2.
//
// Layers of the transform whose halves are at least 16 apart pair whole registers. The last three (halves of
// 8, 4 and 2) first regroup two registers x, y so that one holds all the lower and one all the upper halves.
#include "crypto/mlkem768_kernel.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "crypto/keccak_permutation.hpp"
#include "village/crypto/secret.hpp"

#define VG_AVX2 __attribute__((target("avx2")))
#define VG_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

namespace village::crypto {
namespace {

constexpr std::int16_t q = mlkem_modulus;
constexpr std::size_t lanes = 16;
constexpr std::size_t registers = 256 / lanes;

using Lanes = std::array<std::int16_t, lanes>;
using Table = std::array<Lanes, registers / 2>;

/// block_of tells which block of a layer lane `lane` belongs to, after two registers were regrouped.
constexpr std::size_t block_of(std::size_t half, std::size_t pair, std::size_t lane) {
  const std::size_t upper = lane / 8;  // 128-bit half of the register
  const std::size_t position = lane % 8 / half;
  if (half == 8) return 2 * pair + upper;
  if (half == 4) return 2 * (2 * pair + position) + upper;
  return 4 * (2 * pair + position / 2) + 2 * upper + position % 2;
}

constexpr Table zetas_of(std::size_t half, bool back) {
  const std::size_t blocks = 128 / half;
  Table table{};
  for (std::size_t pair = 0; pair < table.size(); ++pair) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const auto block = block_of(half, pair, lane);
      table[pair][lane] = mlkem_zetas[back ? 2 * blocks - 1 - block : blocks + block];
    }
  }
  return table;
}

alignas(32) constexpr Table forth_8 = zetas_of(8, false), forth_4 = zetas_of(4, false),
                            forth_2 = zetas_of(2, false), back_8 = zetas_of(8, true),
                            back_4 = zetas_of(4, true), back_2 = zetas_of(2, true);

/// gammas: what odd coefficients are multiplied by in dot(); even lanes multiply by one.
alignas(32) constexpr std::array<Lanes, registers> gammas = [] {
  std::array<Lanes, registers> table{};
  for (std::size_t i = 0; i < 256; ++i) {
    const auto root = mlkem_zetas[64 + i / 4];
    const auto gamma = static_cast<std::int16_t>(i % 4 < 2 ? root : -root);
    table[i / lanes][i % lanes] = i % 2 == 0 ? montgomery_factor : gamma;
  }
  return table;
}();

VG_AVX2_INLINE __m256i load(const std::int16_t* from) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
}
VG_AVX2_INLINE void store(std::int16_t* to, __m256i v) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(to), v);
}

VG_AVX2_INLINE __m256i multiply(__m256i a, __m256i b) {
  const auto low = _mm256_mullo_epi16(_mm256_mullo_epi16(a, b), _mm256_set1_epi16(inverse_modulus));
  return _mm256_sub_epi16(_mm256_mulhi_epi16(a, b), _mm256_mulhi_epi16(low, _mm256_set1_epi16(q)));
}
VG_AVX2_INLINE __m256i positive(__m256i a) {
  return _mm256_add_epi16(a, _mm256_and_si256(_mm256_srai_epi16(a, 15), _mm256_set1_epi16(q)));
}
VG_AVX2_INLINE __m256i canonical(__m256i a) {
  const auto quotient = _mm256_srai_epi16(_mm256_mulhi_epi16(a, _mm256_set1_epi16(20159)), 10);
  const auto modulus = _mm256_set1_epi16(q);
  const auto r = _mm256_sub_epi16(a, _mm256_mullo_epi16(quotient, modulus));
  return positive(_mm256_sub_epi16(r, modulus));
}

VG_AVX2_INLINE void butterfly(__m256i& low, __m256i& high, __m256i zeta) {
  const auto t = multiply(high, zeta);
  high = _mm256_sub_epi16(low, t);
  low = _mm256_add_epi16(low, t);
}
VG_AVX2_INLINE void butterfly_back(__m256i& low, __m256i& high, __m256i zeta) {
  const auto t = low;
  low = canonical(_mm256_add_epi16(t, high));
  high = multiply(_mm256_sub_epi16(high, t), zeta);
}

/// gather: x, y -> all lower halves, all upper halves. scatter undoes it.
template <int half>
VG_AVX2_INLINE void gather(__m256i& x, __m256i& y) {
  const auto a = x;
  if constexpr (half == 8) {
    x = _mm256_permute2x128_si256(a, y, 0x20);
    y = _mm256_permute2x128_si256(a, y, 0x31);
  } else if constexpr (half == 4) {
    x = _mm256_unpacklo_epi64(a, y);
    y = _mm256_unpackhi_epi64(a, y);
  } else {
    const auto fa = _mm256_castsi256_ps(a), fy = _mm256_castsi256_ps(y);
    x = _mm256_castps_si256(_mm256_shuffle_ps(fa, fy, 0x88));
    y = _mm256_castps_si256(_mm256_shuffle_ps(fa, fy, 0xdd));
  }
}
template <int half>
VG_AVX2_INLINE void scatter(__m256i& x, __m256i& y) {
  if constexpr (half != 2) {
    gather<half>(x, y);
  } else {
    const auto a = x;
    x = _mm256_unpacklo_epi32(a, y);
    y = _mm256_unpackhi_epi32(a, y);
  }
}

template <int half>
VG_AVX2_INLINE void near_layer(std::int16_t* c, const Table& zetas) {
  for (std::size_t pair = 0; pair < zetas.size(); ++pair) {
    auto x = load(c + 32 * pair), y = load(c + 32 * pair + 16);
    gather<half>(x, y);
    butterfly(x, y, load(zetas[pair].data()));
    scatter<half>(x, y);
    store(c + 32 * pair, x);
    store(c + 32 * pair + 16, y);
  }
}
template <int half>
VG_AVX2_INLINE void near_layer_back(std::int16_t* c, const Table& zetas) {
  for (std::size_t pair = 0; pair < zetas.size(); ++pair) {
    auto x = load(c + 32 * pair), y = load(c + 32 * pair + 16);
    gather<half>(x, y);
    butterfly_back(x, y, load(zetas[pair].data()));
    scatter<half>(x, y);
    store(c + 32 * pair, x);
    store(c + 32 * pair + 16, y);
  }
}

VG_AVX2 void transform(Polynomial& f) {
  auto* const c = f.c.data();
  std::size_t i = 1;
  for (std::size_t half = 128; half >= lanes; half /= 2) {
    for (std::size_t start = 0; start < 256; start += 2 * half) {
      const auto zeta = _mm256_set1_epi16(mlkem_zetas[i++]);
      for (std::size_t j = start; j < start + half; j += lanes) {
        auto x = load(c + j), y = load(c + j + half);
        butterfly(x, y, zeta);
        store(c + j, x);
        store(c + j + half, y);
      }
    }
  }
  near_layer<8>(c, forth_8);
  near_layer<4>(c, forth_4);
  near_layer<2>(c, forth_2);
  for (std::size_t j = 0; j < 256; j += lanes) store(c + j, canonical(load(c + j)));
}

VG_AVX2 void transform_back(Polynomial& f) {
  auto* const c = f.c.data();
  near_layer_back<2>(c, back_2);
  near_layer_back<4>(c, back_4);
  near_layer_back<8>(c, back_8);
  std::size_t i = 15;
  for (std::size_t half = lanes; half <= 128; half *= 2) {
    for (std::size_t start = 0; start < 256; start += 2 * half) {
      const auto zeta = _mm256_set1_epi16(mlkem_zetas[i--]);
      for (std::size_t j = start; j < start + half; j += lanes) {
        auto x = load(c + j), y = load(c + j + half);
        butterfly_back(x, y, zeta);
        store(c + j, x);
        store(c + j + half, y);
      }
    }
  }
  const auto factor = _mm256_set1_epi16(mlkem_divide_by_128);
  for (std::size_t j = 0; j < 256; j += lanes) store(c + j, positive(multiply(load(c + j), factor)));
}

/// reduce is Montgomery's reduction of 32-bit lanes; the results stay in 32-bit lanes.
VG_AVX2_INLINE __m256i reduce(__m256i a) {
  const auto low = _mm256_set1_epi32(0xffff);
  const auto t = _mm256_and_si256(_mm256_mullo_epi16(a, _mm256_set1_epi32(inverse_modulus & 0xffff)), low);
  const auto product = _mm256_madd_epi16(t, _mm256_set1_epi32(q));
  return _mm256_srai_epi32(_mm256_sub_epi32(a, product), 16);
}

VG_AVX2 void dot(PolynomialVector a, PolynomialVector b, Polynomial& out) {
  const auto restore = _mm256_set1_epi16(mlkem_restore);
  for (std::size_t n = 0; n < registers; ++n) {
    const auto gamma = load(gammas[n].data());
    auto even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
    for (std::size_t k = 0; k < mlkem_rank; ++k) {
      const auto x = load(a[k].c.data() + lanes * n), y = load(b[k].c.data() + lanes * n);
      const auto swapped = _mm256_or_si256(_mm256_slli_epi32(y, 16), _mm256_srli_epi32(y, 16));
      even = _mm256_add_epi32(even, _mm256_madd_epi16(x, multiply(y, gamma)));
      odd = _mm256_add_epi32(odd, _mm256_madd_epi16(x, swapped));
    }
    const auto both = _mm256_blend_epi16(reduce(even), _mm256_slli_epi32(reduce(odd), 16), 0xaa);
    store(out.c.data() + lanes * n, positive(multiply(both, restore)));
  }
}

/// Streams is SHAKE of four short inputs that share their length.
class Streams {
 public:
  Streams() = default;
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;
  ~Streams() { wipe(std::as_writable_bytes(std::span{&states_, 1})); }

  /// absorb takes 32 bytes that all share, then up to 7 of each its own, and pads the block of `rate` bytes.
  void absorb(std::span<const std::byte, 32> shared, const std::array<std::uint64_t, 4>& own,
              std::size_t own_bytes, std::size_t rate) {
    constexpr std::uint64_t suffix = 0x1f;  // FIPS 202 6.2
    for (std::size_t lane = 0; lane < 4; ++lane) {
      std::uint64_t value;
      std::memcpy(&value, shared.data() + 8 * lane, sizeof value);
      states_.lanes[lane].fill(value);
    }
    for (std::size_t n = 0; n < 4; ++n) states_.lanes[4][n] = own[n] | suffix << (8 * own_bytes);
    for (auto& last : states_.lanes[rate / 8 - 1]) last ^= std::uint64_t{1} << 63;
  }
  /// squeeze gives the next `size` bytes (a multiple of 8, at most the rate) of each.
  void squeeze(std::array<std::byte*, 4> out, std::size_t size) {
    keccak_permute_x4_avx2(states_);
    for (std::size_t lane = 0; lane < size / 8; ++lane) {
      for (std::size_t n = 0; n < 4; ++n) {
        std::memcpy(out[n] + 8 * lane, &states_.lanes[lane][n], sizeof(std::uint64_t));
      }
    }
  }

 private:
  KeccakState4 states_;
};

constexpr std::size_t shake128_rate = 168, shake256_rate = 136;

/// sample_four fills polynomials first .. first + 3 of the matrix; those past its end go nowhere.
void sample_four(std::span<const std::byte, 32> rho, bool transposed, std::size_t first, Matrix& out) {
  constexpr std::size_t usual_blocks = 3;  // 336 numbers; fewer than 256 pass once in a hundred
  std::array<std::uint64_t, 4> places{};
  for (std::size_t n = 0; n < 4; ++n) {
    const auto row = (first + n) / mlkem_rank, column = (first + n) % mlkem_rank;
    places[n] = transposed ? row | column << 8 : column | row << 8;
  }
  Streams streams;
  streams.absorb(rho, places, 2, shake128_rate);
  const auto wanted = std::min<std::size_t>(4, mlkem_matrix - first);
  std::array<ByteArray<usual_blocks * shake128_rate>, 4> buffers;
  for (std::size_t block = 0; block < usual_blocks; ++block) {
    const auto at = block * shake128_rate;
    streams.squeeze({&buffers[0][at], &buffers[1][at], &buffers[2][at], &buffers[3][at]}, shake128_rate);
  }
  std::array<std::size_t, 4> counts{};
  for (std::size_t n = 0; n < wanted; ++n) counts[n] = parse_uniform(buffers[n], out[first + n], 0);
  const auto missing = [&] {
    return std::any_of(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(wanted),
                       [](std::size_t count) { return count < 256; });
  };
  while (missing()) {
    streams.squeeze({buffers[0].data(), buffers[1].data(), buffers[2].data(), buffers[3].data()},
                    shake128_rate);
    for (std::size_t n = 0; n < wanted; ++n) {
      counts[n] = parse_uniform(ByteView{buffers[n]}.first(shake128_rate), out[first + n], counts[n]);
    }
  }
}

void sample_matrix(std::span<const std::byte, 32> rho, bool transposed, Matrix& out) {
  for (std::size_t first = 0; first < mlkem_matrix; first += 4) sample_four(rho, transposed, first, out);
}

void sample_noise(std::span<const std::byte, 32> seed, std::uint8_t first_nonce, std::span<Polynomial> out) {
  Secret<4 * 128> bytes;
  for (std::size_t first = 0; first < out.size(); first += 4) {
    const auto nonce = first_nonce + first;
    Streams streams;
    streams.absorb(seed, {nonce, nonce + 1, nonce + 2, nonce + 3}, 1, shake256_rate);
    auto* const to = bytes.fill().data();
    streams.squeeze({to, to + 128, to + 256, to + 384}, 128);
    for (std::size_t n = 0; n < 4 && first + n < out.size(); ++n) binomial(to + 128 * n, out[first + n]);
  }
}

}  // namespace

const MlkemKernel* avx2_kernel() {
  static constexpr MlkemKernel kernel{"avx2", transform, transform_back, dot, sample_matrix, sample_noise};
  static const bool usable = __builtin_cpu_supports("avx2") != 0;
  return usable ? &kernel : nullptr;
}

}  // namespace village::crypto

#else

namespace village::crypto {
const MlkemKernel* avx2_kernel() { return nullptr; }
}  // namespace village::crypto

#endif
