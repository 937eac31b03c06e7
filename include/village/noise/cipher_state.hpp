#pragma once
// CipherState: a key and a counter. Source: Noise revision 34, section 5.1, nonces 12.3 and 12.4, rekey 4.2.
#include <cstdint>
#include <optional>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/crypto/aead.hpp"
#include "village/crypto/secret.hpp"
#include "village/noise/limits.hpp"
#include "village/noise/protocol.hpp"

namespace village::noise {

inline constexpr std::size_t key_bytes = 32;
inline constexpr std::size_t tag_bytes = crypto::aead_tag_bytes;

using Key = crypto::Secret<key_bytes>;

/// CipherState seals or opens a sequence of messages with Noise's own nonces. One thread at a time.
/// The AEAD context is made on first use of a direction and then kept: no allocation per message.
class CipherState {
 public:
  CipherState(Cipher cipher, Key key);

  /// encrypt writes ciphertext and tag. Shapes: out.size() == plain.size() + 16, at most 65,535; in place
  /// allowed. Errors: exhausted (nonce 2^64-1 is reserved), limit_exceeded (message too long), bad_argument
  /// (shape).
  Result<void> encrypt(ByteView ad, ByteView plain, ByteSpan out);

  /// decrypt verifies and decrypts. Shapes: out.size() == sealed.size() - 16; in place allowed.
  /// Errors: bad_tag (out holds zeros, the counter has not moved: the message may be tried again), truncated,
  /// exhausted, limit_exceeded, bad_argument.
  Result<void> decrypt(ByteView ad, ByteView sealed, ByteSpan out);

  /// rekey replaces the key by a one-way function of itself; the counter goes on.
  void rekey();

  std::uint64_t nonce() const { return nonce_; }
  /// set_nonce is for transports that carry the counter themselves. Never set it back on the sending side.
  void set_nonce(std::uint64_t nonce) { nonce_ = nonce; }

 private:
  crypto::AeadNonce nonce_bytes(std::uint64_t nonce) const;
  crypto::Sealer& sealer();
  crypto::Opener& opener();

  Cipher cipher_;
  Key key_;
  std::uint64_t nonce_ = 0;
  std::optional<crypto::Sealer> sealer_;
  std::optional<crypto::Opener> opener_;
};

}  // namespace village::noise
