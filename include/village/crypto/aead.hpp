#pragma once
// Authenticated encryption with 96-bit nonces and 16-byte tags. Sources: NIST SP 800-38D, RFC 8439.
#include <cstdint>
#include <memory>
#include <span>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"

namespace village::crypto {

enum class AeadAlgorithm : std::uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305 };

inline constexpr std::size_t aead_tag_bytes = 16;
inline constexpr std::size_t aead_nonce_bytes = 12;
using AeadNonce = ByteArray<aead_nonce_bytes>;

constexpr std::size_t key_bytes(AeadAlgorithm algorithm) {
  return algorithm == AeadAlgorithm::aes_128_gcm ? 16 : 32;
}

/// aes_is_fast tells whether this CPU has AES and carry-less multiplication (design section 3: choice of
/// suite).
bool aes_is_fast();

/// SealJob is one message of a batch; the fields are the arguments of Sealer::seal.
struct SealJob {
  AeadNonce nonce;
  ByteView aad;
  ByteView head;
  ByteView body;
  ByteSpan out;
};

/// OpenJob is one message of a batch; the fields are the arguments of Opener::open.
struct OpenJob {
  AeadNonce nonce;
  ByteView aad;
  ByteView sealed;
  ByteSpan out;
};

/// Sealer encrypts one direction: the key is set once, each message brings its own nonce. One thread at a
/// time. Costs one OpenSSL context (about 1 KiB for GCM); sealing allocates nothing.
class Sealer {
 public:
  /// key.size() must be key_bytes(algorithm) (VG_CHECKed). The key is copied into the context and wiped with
  /// it.
  Sealer(AeadAlgorithm algorithm, ByteView key);
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;
  ~Sealer();

  /// seal writes ciphertext and tag. Shapes: out.size() == plain.size() + 16. `out` may start at plain.data()
  /// (in place) or not overlap it. The nonce must never repeat under this key: the caller's duty.
  void seal(std::span<const std::byte, aead_nonce_bytes> nonce, ByteView aad, ByteView plain, ByteSpan out);

  /// seal over a plaintext of two pieces, head then body, as if concatenated (frame header, payload). `out`
  /// may not overlap either, except that it may start where a contiguous head|body starts.
  void seal(std::span<const std::byte, aead_nonce_bytes> nonce, ByteView aad, ByteView head, ByteView body,
            ByteSpan out);

  /// seal_batch seals the jobs in order.
  void seal_batch(std::span<const SealJob> jobs);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Opener decrypts one direction.
class Opener {
 public:
  Opener(AeadAlgorithm algorithm, ByteView key);
  Opener(Opener&&) noexcept;
  Opener& operator=(Opener&&) noexcept;
  ~Opener();

  /// open verifies and decrypts. Shapes: out.size() == sealed.size() - 16; in place allowed as in seal.
  /// false: too short or the tag does not verify; then out holds zeros, never plaintext.
  [[nodiscard]] bool open(std::span<const std::byte, aead_nonce_bytes> nonce, ByteView aad, ByteView sealed,
                          ByteSpan out);

  /// open_batch opens the jobs in order and stops at the first that does not verify: returns how many opened.
  /// Jobs behind that one are left alone.
  [[nodiscard]] std::size_t open_batch(std::span<const OpenJob> jobs);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace village::crypto
