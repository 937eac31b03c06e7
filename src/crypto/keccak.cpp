#include "village/crypto/keccak.hpp"

#include <algorithm>
#include <bit>

#include "crypto/keccak_permutation.hpp"
#include "village/base/check.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {
namespace {

/// round_constants runs the shift register of FIPS 202 3.2.5: bit 2^j - 1 of round r is output 7 r + j.
constexpr std::array<std::uint64_t, keccak_rounds> round_constants() {
  std::array<std::uint64_t, keccak_rounds> constants{};
  unsigned shift_register = 1;
  for (auto& constant : constants) {
    for (unsigned j = 0; j < 7; ++j) {
      if ((shift_register & 1) != 0) constant |= std::uint64_t{1} << ((1U << j) - 1);
      shift_register = (shift_register << 1) ^ ((shift_register >> 7) * 0x171U);
    }
  }
  return constants;
}

struct Row {
  std::uint64_t a, b, c, d, e;
};

/// chi of one row, FIPS 202 3.2.4.
[[gnu::always_inline]] inline void chi(const Row& in, std::uint64_t* out) {
  out[0] = in.a ^ (~in.b & in.c);
  out[1] = in.b ^ (~in.c & in.d);
  out[2] = in.c ^ (~in.d & in.e);
  out[3] = in.d ^ (~in.e & in.a);
  out[4] = in.e ^ (~in.a & in.b);
}

/// round_of is theta, rho, pi, chi and iota from `a` to `b`. Rotations are those of FIPS 202 table 2.
[[gnu::always_inline]] inline void round_of(const std::uint64_t* a, std::uint64_t* b,
                                            std::uint64_t constant) {
  using std::rotl;
  const auto c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20], c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21],
             c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22], c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23],
             c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
  const auto d0 = c4 ^ rotl(c1, 1), d1 = c0 ^ rotl(c2, 1), d2 = c1 ^ rotl(c3, 1), d3 = c2 ^ rotl(c4, 1),
             d4 = c3 ^ rotl(c0, 1);
  chi({a[0] ^ d0, rotl(a[6] ^ d1, 44), rotl(a[12] ^ d2, 43), rotl(a[18] ^ d3, 21), rotl(a[24] ^ d4, 14)}, b);
  chi({rotl(a[3] ^ d3, 28), rotl(a[9] ^ d4, 20), rotl(a[10] ^ d0, 3), rotl(a[16] ^ d1, 45),
       rotl(a[22] ^ d2, 61)},
      b + 5);
  chi({rotl(a[1] ^ d1, 1), rotl(a[7] ^ d2, 6), rotl(a[13] ^ d3, 25), rotl(a[19] ^ d4, 8),
       rotl(a[20] ^ d0, 18)},
      b + 10);
  chi({rotl(a[4] ^ d4, 27), rotl(a[5] ^ d0, 36), rotl(a[11] ^ d1, 10), rotl(a[17] ^ d2, 15),
       rotl(a[23] ^ d3, 56)},
      b + 15);
  chi({rotl(a[2] ^ d2, 62), rotl(a[8] ^ d3, 55), rotl(a[14] ^ d4, 39), rotl(a[15] ^ d0, 41),
       rotl(a[21] ^ d1, 2)},
      b + 20);
  b[0] ^= constant;
}

}  // namespace

constexpr std::array<std::uint64_t, keccak_rounds> keccak_round_constants = round_constants();
static_assert(keccak_round_constants[0] == 1 && keccak_round_constants[23] == 0x8000000080008008);

void keccak_permute(KeccakState& state) {
  KeccakState other;
  for (std::size_t r = 0; r < keccak_rounds; r += 2) {
    round_of(state.data(), other.data(), keccak_round_constants[r]);
    round_of(other.data(), state.data(), keccak_round_constants[r + 1]);
  }
}

Shake::~Shake() { wipe(std::as_writable_bytes(std::span{lanes_})); }

/// add XORs bytes into the state from byte `at`; lanes are little-endian (FIPS 202 3.1.2 and B.1).
void Shake::add(std::size_t at, ByteView bytes) {
  while (!bytes.empty() && at % 8 != 0) {
    lanes_[at / 8] ^= std::to_integer<std::uint64_t>(bytes.front()) << (8 * (at % 8));
    bytes = bytes.subspan(1);
    ++at;
  }
  for (; bytes.size() >= 8; bytes = bytes.subspan(8), at += 8) {
    std::uint64_t lane = 0;
    for (std::size_t i = 0; i < 8; ++i) lane |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    lanes_[at / 8] ^= lane;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    lanes_[at / 8] ^= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
}

void Shake::absorb(ByteView in) {
  VG_CHECK(!squeezing_);
  while (!in.empty()) {
    const auto taken = std::min(in.size(), rate_ - at_);
    add(at_, in.first(taken));
    in = in.subspan(taken);
    at_ += taken;
    if (at_ < rate_) continue;
    keccak_permute(lanes_);
    at_ = 0;
  }
}

void Shake::squeeze(ByteSpan out) {
  if (!squeezing_) {
    constexpr std::byte last_bit{0x80};
    add(at_, {&suffix_, 1});
    add(rate_ - 1, {&last_bit, 1});
    at_ = rate_;
    squeezing_ = true;
  }
  for (auto& byte : out) {
    if (at_ == rate_) {
      keccak_permute(lanes_);
      at_ = 0;
    }
    byte = static_cast<std::byte>(lanes_[at_ / 8] >> (8 * (at_ % 8)));
    ++at_;
  }
}

void sha3_256(std::initializer_list<ByteView> parts, std::span<std::byte, 32> out) {
  Shake sponge{136, Shake::hash_suffix};
  for (const auto part : parts) sponge.absorb(part);
  sponge.squeeze(out);
}

void sha3_512(std::initializer_list<ByteView> parts, std::span<std::byte, 64> out) {
  Shake sponge{72, Shake::hash_suffix};
  for (const auto part : parts) sponge.absorb(part);
  sponge.squeeze(out);
}

}  // namespace village::crypto
