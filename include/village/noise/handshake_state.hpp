#pragma once
// HandshakeState: one side of a Noise handshake, bytes in and bytes out. Source: Noise revision 34,
// section 5.3.
//
//   initiator:  write_message -> read_message -> write_message -> finished -> split / transport
//   responder:  read_message -> write_message -> read_message  -> finished -> split / transport
//
// (XK shown; the pattern says how many messages there are.) A failure of either verb is final: the state is
// dead.
#include <optional>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/crypto/mlkem768.hpp"
#include "village/crypto/x25519.hpp"
#include "village/noise/cipher_state.hpp"
#include "village/noise/protocol.hpp"
#include "village/noise/symmetric_state.hpp"

namespace village::noise {

/// HandshakeOptions is what one side brings. Secrets are moved in and wiped with the state.
struct HandshakeOptions {
  /// Bytes both sides agree on beforehand; read once by start().
  ByteView prologue{};
  /// This side's static, where Pattern::needs_static says so.
  std::optional<crypto::X25519KeyPair> local_static{};
  /// The peer's static, where the pattern knows it beforehand, and only there.
  std::optional<crypto::X25519Public> remote_static{};
  /// One key for each psk token, in the order of the tokens.
  std::vector<Key> psks{};
  /// For tests with published vectors only.
  std::optional<crypto::X25519KeyPair> fixed_ephemeral{};
  std::optional<crypto::MlkemSeed> fixed_kem_seed{};
  std::optional<crypto::MlkemRandomness> fixed_kem_randomness{};
};

/// Transport is the pair of ciphers of this side. One-way patterns use only the initiator's `send` and the
/// responder's `receive`.
struct Transport {
  CipherState send;
  CipherState receive;
};

class HandshakeState {
 public:
  /// start checks that the options are those that the pattern needs. `random` makes the ephemeral and must
  /// outlive the state. Errors: bad_argument (a key or psk is missing or superfluous).
  static Result<HandshakeState> start(const Protocol& protocol, Role role, HandshakeOptions options,
                                      RandomSource& random);

  /// write_message writes the next handshake message and returns its size, payload.size() + overhead().
  /// `payload` may not overlap `out`. Cost: one X25519 for each DH token and one for e, one key
  /// generation, encapsulation or decapsulation for e1 and ekem1. Errors: bad_argument (not this side's
  /// turn), limit_exceeded (above 65,535 or out.size()); these two change nothing. bad_key (the peer sent a
  /// low-order point or an encapsulation key that is none) and closed (dead) are final.
  Result<std::size_t> write_message(ByteView payload, ByteSpan out);

  /// read_message takes exactly one message and writes its payload, in.size() - overhead() bytes, to `out`,
  /// which may not overlap `in`. Returns the payload's size. Errors: bad_argument, limit_exceeded (out too
  /// small) change nothing; truncated, limit_exceeded (message above 65,535), bad_tag, bad_key, closed are
  /// final.
  Result<std::size_t> read_message(ByteView in, ByteSpan out);

  /// overhead is what the next message adds to its payload; 0 when finished.
  std::size_t overhead() const;
  bool my_turn() const { return !finished() && Pattern::writer(next_message_) == role_; }
  bool finished() const { return next_message_ == pattern_.message_count; }
  bool dead() const { return dead_; }

  /// remote_static is the peer's static key as far as known; proven only when finished().
  const std::optional<crypto::X25519Public>& remote_static() const { return remote_static_; }
  /// handshake_hash is the channel binding, 32 or 64 bytes, final when finished(). A view into this object.
  ByteView handshake_hash() const { return symmetric_.handshake_hash(); }

  /// split gives the transport keys. Only when finished() (VG_CHECKed).
  SplitKeys split() const;
  /// transport is split() as ciphers with Noise's own nonces.
  Transport transport() const;

 private:
  HandshakeState(const Protocol& protocol, Role role, HandshakeOptions&& options, RandomSource& random);
  Result<void> write(ByteView payload, ByteSpan out);
  Result<void> read(ByteView in, ByteSpan out);
  Result<void> write_kem_key(ByteSpan out);
  Result<void> read_kem_key(ByteView sealed);
  Result<void> write_kem_ciphertext(ByteSpan out);
  Result<void> read_kem_ciphertext(ByteView sealed);
  Result<void> mix_shared(Token token);
  Result<void> mix_dh(const std::optional<crypto::X25519KeyPair>& local,
                      const std::optional<crypto::X25519Public>& remote);
  void mix_ephemeral(const crypto::X25519Public& key);
  void mix_psk();
  void advance();
  void drop_secrets();
  Error die(Error reason);

  Pattern pattern_;
  Cipher cipher_;
  Role role_;
  RandomSource* random_;
  SymmetricState symmetric_;
  std::optional<crypto::X25519KeyPair> static_;
  std::optional<crypto::X25519KeyPair> ephemeral_;
  std::optional<crypto::X25519Public> remote_static_;
  std::optional<crypto::X25519Public> remote_ephemeral_;
  std::optional<crypto::X25519KeyPair> fixed_ephemeral_;
  std::optional<crypto::MlkemPrivate> kem_key_;  ///< of e1; initiator only
  Bytes remote_kem_key_;                         ///< of e1; responder only
  std::optional<crypto::MlkemSeed> fixed_kem_seed_;
  std::optional<crypto::MlkemRandomness> fixed_kem_randomness_;
  std::vector<Key> psks_;
  std::size_t next_psk_ = 0;
  std::size_t next_message_ = 0;
  bool dead_ = false;
};

}  // namespace village::noise
