#pragma once
// SHA-3 and SHAKE over Keccak-f[1600]. Source: FIPS 202.
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "village/base/bytes.hpp"

namespace village::crypto {

/// sha3_256 digests the concatenation of `parts` into `out`. About 0.3 us per 136 bytes; no allocation.
void sha3_256(std::initializer_list<ByteView> parts, std::span<std::byte, 32> out);
/// sha3_512 digests the concatenation of `parts` into `out`. About 0.3 us per 72 bytes; no allocation.
void sha3_512(std::initializer_list<ByteView> parts, std::span<std::byte, 64> out);

/// Shake is an extendable output function: absorb() any number of times, then squeeze() any number of times.
/// The state is wiped with the object. Constant time in what is absorbed.
class Shake {
 public:
  static Shake shake128() { return Shake{168}; }
  static Shake shake256() { return Shake{136}; }
  Shake(const Shake&) = delete;
  Shake& operator=(const Shake&) = delete;
  ~Shake();

  /// absorb takes input; not after squeeze() (VG_CHECKed).
  void absorb(ByteView in);
  /// squeeze gives the next out.size() bytes of output.
  void squeeze(ByteSpan out);

 private:
  friend void sha3_256(std::initializer_list<ByteView>, std::span<std::byte, 32>);
  friend void sha3_512(std::initializer_list<ByteView>, std::span<std::byte, 64>);
  static constexpr std::byte shake_suffix{0x1f};  // FIPS 202 6.2: 1111, then the first bit of the padding
  static constexpr std::byte hash_suffix{0x06};   // FIPS 202 6.1: 01, then the first bit of the padding
  explicit Shake(std::size_t rate, std::byte suffix = shake_suffix) : rate_{rate}, suffix_{suffix} {}
  void add(std::size_t at, ByteView bytes);

  std::array<std::uint64_t, 25> lanes_{};
  std::size_t rate_;    ///< bytes of input or output per permutation
  std::size_t at_ = 0;  ///< bytes of the current block absorbed or squeezed
  std::byte suffix_;
  bool squeezing_ = false;
};

}  // namespace village::crypto
