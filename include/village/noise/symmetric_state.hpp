#pragma once
// SymmetricState: chaining key, transcript hash and the current cipher. Source: Noise revision 34,
// section 5.2.
#include <optional>
#include <span>

#include "village/noise/cipher_state.hpp"
#include "village/noise/protocol.hpp"

namespace village::noise {

/// SplitKeys are the two transport keys, whatever the role of this side.
struct SplitKeys {
  Key initiator_to_responder;
  Key responder_to_initiator;
};

/// SymmetricState is the bookkeeping under HandshakeState. Names of its methods are those of the
/// specification.
class SymmetricState {
 public:
  SymmetricState(std::string_view protocol_name, Cipher cipher, crypto::HashAlgorithm hash);

  void mix_key(ByteView input_key);
  void mix_hash(ByteView data);
  void mix_key_and_hash(ByteView input_key);
  bool has_key() const { return cipher_state_.has_value(); }
  /// overhead is what encrypt_and_hash adds now: 16, or 0 while there is no key.
  std::size_t overhead() const { return has_key() ? tag_bytes : 0; }

  /// Shapes: out.size() == plain.size() + overhead(). Errors: those of CipherState.
  Result<void> encrypt_and_hash(ByteView plain, ByteSpan out);
  /// Shapes: out.size() == sealed.size() - overhead(); in place allowed. The transcript moves only on
  /// success.
  Result<void> decrypt_and_hash(ByteView sealed, ByteSpan out);

  SplitKeys split() const;
  /// handshake_hash is the transcript hash, 32 or 64 bytes; a view into this object.
  ByteView handshake_hash() const { return hash_.view(); }

 private:
  void set_key(ByteView key);
  crypto::HashAlgorithm algorithm_;
  Cipher cipher_;
  crypto::Digest chaining_key_;
  crypto::Digest hash_;
  std::optional<CipherState> cipher_state_;
};

}  // namespace village::noise
