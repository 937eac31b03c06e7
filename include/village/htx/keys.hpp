#pragma once
// Keys of one direction: the ladder of traffic secrets, the record nonce, and the AEAD that uses them.
//
//   L(secret, label, n) = HKDF-Expand(SHA-256, secret, "betanet " | label, n)
//   key = L(TS, "key", 32)   nonce salt = L(TS, "nonce", 12)   TS' = L(TS, "next", 32)
//   record nonce = salt XOR (u64le counter | 0 0 0 0), counter from 0, +1 per frame, 0 again after a key
//   update
//
// Source: htx.md 4.2 (Betanet 1.2 section 8.3, Appendix C.1).
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/crypto/aead.hpp"
#include "village/crypto/secret.hpp"
#include "village/htx/frame.hpp"

namespace village::htx {

/// KeyLadder holds the traffic secret of one generation. advance() forgets it for the next; there is no way
/// back.
class KeyLadder {
 public:
  explicit KeyLadder(crypto::Secret<32> traffic_secret) : secret_{std::move(traffic_secret)} {}
  crypto::Secret<32> key() const;
  ByteArray<crypto::aead_nonce_bytes> nonce_salt() const;
  void advance();
  /// mix forgets the secret for TS' = L(HKDF-Extract(salt = TS, input = fresh), "rekey", 32).
  void mix(const crypto::Secret<32>& fresh);
  const crypto::Secret<32>& traffic_secret() const { return secret_; }

 private:
  crypto::Secret<32> secret_;
};

/// RecordNonce counts the frames under one key and refuses to wrap.
class RecordNonce {
 public:
  explicit RecordNonce(const crypto::AeadNonce& salt, std::uint64_t counter = 0)
      : salt_{salt}, counter_{counter} {}
  /// next gives the nonce of the next frame. Errors: exhausted after 2^64 - 1 frames.
  Result<crypto::AeadNonce> next() {
    if (counter_ == std::numeric_limits<std::uint64_t>::max()) return fail(Errc::exhausted);
    auto nonce = salt_;
    std::uint64_t start;
    std::memcpy(&start, nonce.data(), sizeof start);
    start ^= little_endian(counter_);
    std::memcpy(nonce.data(), &start, sizeof start);
    ++counter_;
    return nonce;
  }
  std::uint64_t counter() const { return counter_; }

 private:
  static std::uint64_t little_endian(std::uint64_t value) {
    return std::endian::native == std::endian::little ? value : __builtin_bswap64(value);
  }
  crypto::AeadNonce salt_;
  std::uint64_t counter_;
};

/// KeyUsage counts what went under the current key; both ends count alike.
struct KeyUsage {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;  ///< on the wire
};

/// RecordSealer seals the frames of one direction. One thread.
class RecordSealer {
 public:
  RecordSealer(crypto::AeadAlgorithm algorithm, crypto::Secret<32> traffic_secret);
  /// seal writes header.frame_bytes() bytes to `out`: the header, head|body sealed. head.size() + body.size()
  /// must be header.plaintext_bytes(). `body` is read once and may not overlap `out`. Errors: exhausted.
  Result<void> seal(const FrameHeader& header, ByteView head, ByteView body, ByteSpan out);
  /// update changes to the next key; the caller has sent KEY_UPDATE under the old one.
  void update();
  /// rekey changes to a key that `fresh` is mixed into; the caller has sent the frame behind which it counts.
  void rekey(const crypto::Secret<32>& fresh);
  const KeyUsage& usage() const { return usage_; }

 private:
  void use_ladder();
  crypto::AeadAlgorithm algorithm_;
  KeyLadder ladder_;
  RecordNonce nonce_;
  crypto::Sealer sealer_;
  KeyUsage usage_;
};

/// RecordOpener opens the frames of one direction. One thread.
class RecordOpener {
 public:
  RecordOpener(crypto::AeadAlgorithm algorithm, crypto::Secret<32> traffic_secret);
  /// open verifies a whole frame and decrypts it in place; the view of the plaintext lies in `frame`.
  /// Errors: bad_tag (the frame then holds zeros), exhausted.
  Result<ByteSpan> open(ByteSpan frame);
  void update();
  void rekey(const crypto::Secret<32>& fresh);
  const KeyUsage& usage() const { return usage_; }

 private:
  void use_ladder();
  crypto::AeadAlgorithm algorithm_;
  KeyLadder ladder_;
  RecordNonce nonce_;
  crypto::Opener opener_;
  KeyUsage usage_;
};

}  // namespace village::htx
