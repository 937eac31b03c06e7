#include "village/crypto/lioness.hpp"

#include "village/base/check.hpp"
#include "village/crypto/blake2b_batch.hpp"
#include "village/crypto/key_stream.hpp"
#include "village/crypto/limits.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {
namespace {

constexpr std::size_t left_bytes = 32;

/// Blocks is the two halves of every row.
struct Blocks {
  CpuLevel level;
  Rows left, right;

  Blocks(CpuLevel used, const ConstRows& keys, const Rows& blocks)
      : level{used},
        left{blocks.columns(0, left_bytes)},
        right{blocks.columns(left_bytes, blocks.bytes() - left_bytes)} {
    VG_CHECK(keys.size() == blocks.size() && blocks.size() <= limits::batch_rows_max);
    VG_CHECK(keys.bytes() == lioness_key_bytes && blocks.bytes() >= lioness_block_bytes_min);
  }

  /// stream: R ^= S(L ^ key).
  void stream(const ConstRows& keys) const {
    ByteArray<left_bytes> key;
    for (std::size_t i = 0; i < left.size(); ++i) {
      for (std::size_t j = 0; j < left_bytes; ++j) key[j] = left[i][j] ^ keys[i][j];
      chacha20_xor(level, key, right[i]);
    }
    wipe(key);
  }
  /// hash: L ^= H(key, R).
  void hash(const ConstRows& keys) const {
    std::array<ByteArray<left_bytes>, limits::batch_rows_max> digests;
    const auto used = std::span{digests}.first(left.size());
    blake2b_batch(level, keys, right, Rows{used});
    for (std::size_t i = 0; i < left.size(); ++i) {
      for (std::size_t j = 0; j < left_bytes; ++j) left[i][j] ^= digests[i][j];
    }
    wipe(std::as_writable_bytes(used));
  }
};

ConstRows k1(const ConstRows& keys) { return keys.columns(0, 32); }
ConstRows k2(const ConstRows& keys) { return keys.columns(32, 64); }
ConstRows k3(const ConstRows& keys) { return keys.columns(96, 32); }
ConstRows k4(const ConstRows& keys) { return keys.columns(128, 64); }

}  // namespace

void lioness_encrypt(CpuLevel level, const ConstRows& keys, const Rows& rows) {
  const Blocks blocks{level, keys, rows};
  blocks.stream(k1(keys));
  blocks.hash(k2(keys));
  blocks.stream(k3(keys));
  blocks.hash(k4(keys));
}

void lioness_decrypt(CpuLevel level, const ConstRows& keys, const Rows& rows) {
  const Blocks blocks{level, keys, rows};
  blocks.hash(k4(keys));
  blocks.stream(k3(keys));
  blocks.hash(k2(keys));
  blocks.stream(k1(keys));
}

void lioness_encrypt(const ConstRows& keys, const Rows& blocks) {
  lioness_encrypt(cpu_level(), keys, blocks);
}
void lioness_decrypt(const ConstRows& keys, const Rows& blocks) {
  lioness_decrypt(cpu_level(), keys, blocks);
}
void lioness_encrypt(std::span<const std::byte, lioness_key_bytes> key, ByteSpan block) {
  lioness_encrypt(ConstRows::repeated(key, 1), Rows{block, block.size(), 0, 1});
}
void lioness_decrypt(std::span<const std::byte, lioness_key_bytes> key, ByteSpan block) {
  lioness_decrypt(ConstRows::repeated(key, 1), Rows{block, block.size(), 0, 1});
}

}  // namespace village::crypto
