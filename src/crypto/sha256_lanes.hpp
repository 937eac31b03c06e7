#pragma once
// SHA-256 messages of one length in the lanes of a kernel: padding, HMAC and HKDF without leaving the words
// the kernel works on. A digest is the beginning of the next block there, so nothing is swapped or copied to
// bytes between the compressions of an expansion.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>

#include "crypto/symmetric_kernels.hpp"
#include "village/base/bytes.hpp"
#include "village/base/check.hpp"
#include "village/crypto/limits.hpp"
#include "village/crypto/rows.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {

void sha256_compress_openssl(const std::uint32_t* from, const std::uint32_t* block, std::uint32_t* to);

inline constexpr std::array<std::uint32_t, 8> sha256_start{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/// Lanes<Kernel> works on at most Kernel::lanes rows: `used` of them count, the others repeat the last.
template <class Kernel>
class Lanes {
 public:
  static constexpr std::size_t lanes = Kernel::lanes;
  using Words = std::uint32_t[16 * lanes];  ///< a state (8 words a lane) or a block

  explicit Lanes(std::size_t used) : used_{used} {}
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;
  ~Lanes() {
    for (auto* words : {&inner_, &outer_, &digest_, &block_}) wipe(std::as_writable_bytes(std::span{*words}));
  }

  void sha256(const ConstRows& messages, const Rows& digests) {
    set_all(inner_, sha256_start);
    absorb(inner_, messages, 0);
    store(digest_, digests, 0);
  }

  void hmac(const ConstRows& keys, const ConstRows& messages, const Rows& macs) {
    load_padded(keys);
    set_key();
    absorb(inner_, messages, 64);
    finish_mac(digest_);
    store(digest_, macs, 0);
  }

  /// hkdf: the salt's states come from outside, the pseudo-random key stays in the lanes.
  void hkdf(std::span<const std::uint32_t, 8> salt_inner, std::span<const std::uint32_t, 8> salt_outer,
            const ConstRows& input_keys, ByteView info, const Rows& out) {
    set_all(inner_, salt_inner);
    set_all(outer_, salt_outer);
    absorb(inner_, input_keys, 64);
    finish_mac(block_);
    for (std::size_t w = 8; w < 16; ++w) set(block_, w, 0);
    set_key();
    expand(info, out);
  }

 private:
  static constexpr std::size_t index(std::size_t word, std::size_t lane) {
    return Kernel::transposed ? word * lanes + lane : lane * 16 + word;
  }
  static void set(Words& words, std::size_t word, std::uint32_t value) {
    for (std::size_t lane = 0; lane < lanes; ++lane) words[index(word, lane)] = value;
  }
  static void set_all(Words& words, std::span<const std::uint32_t, 8> state) {
    for (std::size_t w = 0; w < 8; ++w) set(words, w, state[w]);
  }
  static std::uint32_t big_endian(const std::byte* at) {
    std::uint32_t word;
    std::memcpy(&word, at, 4);
    return std::endian::native == std::endian::little ? __builtin_bswap32(word) : word;
  }
  std::size_t row_of(std::size_t lane) const { return lane < used_ ? lane : used_ - 1; }

  /// load_block reads 64 bytes from `offset` of each row, with SHA-256's padding where the row ends; the
  /// message is `before` + row bytes long.
  void load_block(const ConstRows& rows, std::size_t offset, std::size_t before) {
    const auto bytes = rows.bytes();
    const auto bits = static_cast<std::uint64_t>(before + bytes) * 8;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const auto row = rows[row_of(lane)];
      if (offset + 64 <= bytes) {
        for (std::size_t w = 0; w < 16; ++w) block_[index(w, lane)] = big_endian(row.data() + offset + 4 * w);
        continue;
      }
      ByteArray<64> tail{};
      if (offset < bytes) std::memcpy(tail.data(), row.data() + offset, bytes - offset);
      if (offset <= bytes) tail[bytes - offset] = std::byte{0x80};
      for (std::size_t w = 0; w < 16; ++w) block_[index(w, lane)] = big_endian(tail.data() + 4 * w);
      wipe(tail);
    }
    if (offset + 64 >= bytes + 9) {
      set(block_, 14, static_cast<std::uint32_t>(bits >> 32));
      set(block_, 15, static_cast<std::uint32_t>(bits));
    }
  }

  /// absorb ends the message in digest_.
  void absorb(const Words& state, const ConstRows& rows, std::size_t before) {
    const Words* from = &state;
    for (std::size_t offset = 0; offset < rows.bytes() + 9; offset += 64) {
      load_block(rows, offset, before);
      Kernel::compress(*from, block_, digest_);
      from = &digest_;
    }
  }

  /// finish_mac hashes digest_ under the outer state.
  void finish_mac(Words& to) {
    set(digest_, 8, 0x80000000);
    for (std::size_t w = 9; w < 15; ++w) set(digest_, w, 0);
    set(digest_, 15, (64 + 32) * 8);
    Kernel::compress(outer_, digest_, to);
  }

  void load_padded(const ConstRows& keys) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const auto row = keys[row_of(lane)];
      ByteArray<64> padded{};
      std::memcpy(padded.data(), row.data(), row.size());
      for (std::size_t w = 0; w < 16; ++w) block_[index(w, lane)] = big_endian(padded.data() + 4 * w);
      wipe(padded);
    }
  }
  /// set_key makes the inner and outer state of the keys in block_.
  void set_key() {
    constexpr std::uint32_t ipad = 0x36363636, opad = 0x5c5c5c5c;
    set_all(digest_, sha256_start);
    for (auto& word : block_) word ^= ipad;
    Kernel::compress(digest_, block_, inner_);
    for (auto& word : block_) word ^= ipad ^ opad;
    Kernel::compress(digest_, block_, outer_);
  }

  /// Expansion is the blocks of T(n - 1) | info | n and their padding: constant but for T and n.
  struct Expansion {
    static constexpr std::size_t blocks_max = (32 + limits::hkdf_batch_info_bytes_max + 1 + 9 + 63) / 64;
    ByteArray<64 * blocks_max> bytes{};
    std::size_t counter_at, blocks;
    Expansion(std::size_t before, ByteView info) : counter_at{before + info.size()} {
      std::copy(info.begin(), info.end(), bytes.begin() + static_cast<std::ptrdiff_t>(before));
      bytes[counter_at + 1] = std::byte{0x80};
      blocks = (counter_at + 1 + 9 + 63) / 64;
      const auto bits = static_cast<std::uint32_t>((64 + counter_at + 1) * 8);
      for (std::size_t i = 0; i < 4; ++i)
        bytes[64 * blocks - 1 - i] = static_cast<std::byte>(bits >> (8 * i));
    }
  };

  void fill_block(const Expansion& text, std::size_t block, std::size_t first_word) {
    for (std::size_t w = first_word; w < 16; ++w)
      set(block_, w, big_endian(text.bytes.data() + 64 * block + 4 * w));
  }

  void expand(ByteView info, const Rows& out) {
    Expansion first{0, info}, next{32, info};
    for (std::size_t n = 1, at = 0; at < out.bytes(); ++n, at += 32) {
      Expansion& text = n == 1 ? first : next;
      text.bytes[text.counter_at] = static_cast<std::byte>(n);
      const Words* from = &inner_;
      for (std::size_t b = 0; b < text.blocks; ++b) {
        const bool has_digest = n > 1 && b == 0;  // its words are there already
        fill_block(text, b, has_digest ? 8 : 0);
        Kernel::compress(*from, block_, digest_);
        from = &digest_;
      }
      finish_mac(block_);
      store(block_, out, at);
    }
  }

  /// store writes digests big endian to bytes at .. of each row, as many as the row still takes.
  void store(const Words& digest, const Rows& rows, std::size_t at) const {
    const auto taken = std::min<std::size_t>(32, rows.bytes() - at);
    for (std::size_t lane = 0; lane < used_; ++lane) {
      std::uint32_t words[8];
      for (std::size_t w = 0; w < 8; ++w) {
        const auto word = digest[index(w, lane)];
        words[w] = std::endian::native == std::endian::little ? __builtin_bswap32(word) : word;
      }
      std::memcpy(rows[lane].data() + at, words, taken);
    }
  }

  std::size_t used_;
  alignas(64) Words inner_, outer_, digest_, block_;
};

}  // namespace village::crypto
