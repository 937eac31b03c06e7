#pragma once
// Handshake: 'HTX' suite, then Noise messages as u16 length | message, with the identity proof. Sans-I/O.
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/crypto/aead.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/crypto/secret.hpp"
#include "village/crypto/x25519.hpp"
#include "village/htx/types.hpp"

namespace village::htx {

/// RekeyIdentity is what a later re-handshake of the session needs: the Noise statics of both sides.
struct RekeyIdentity {
  crypto::X25519KeyPair local_static;
  crypto::X25519Public peer_static{};
};

/// SessionKeys is what a finished handshake leaves: the two traffic secrets (start of the key ladder), the
/// AEAD of the suite, the channel binding, and who the peer is.
struct SessionKeys {
  crypto::AeadAlgorithm algorithm = crypto::AeadAlgorithm::chacha20_poly1305;
  Suite suite = Suite::xk_chacha_sha256;
  crypto::Secret<32> client_to_server;
  crypto::Secret<32> server_to_client;
  ByteArray<32> handshake_hash{};
  crypto::Ed25519Public local_key{};
  crypto::Ed25519Public peer_key{};
  std::shared_ptr<const RekeyIdentity> rekey{};  ///< none = the session cannot do re-handshakes
};

/// ExporterKey is the 32-byte TLS exporter value bound into the prologue; zeros with outer none.
using ExporterKey = ByteArray<32>;

struct HandshakeSettings {
  std::size_t padding_bytes = 0;          ///< zero bytes behind the identity proof
  std::optional<crypto::Secret<32>> psk;  ///< suite 7 only
};

/// Handshake of either side. The owner feeds bytes with receive(), sends what poll_transmit() gives, until
/// done().
class Handshake {
 public:
  /// initiator dials a peer whose full Ed25519 key it knows, with one suite. `random` must outlive the
  /// handshake (here and below). Errors: bad_key, unsupported, bad_argument (no psk for suite 7, too much
  /// padding).
  static Result<Handshake> initiator(const crypto::Ed25519KeyPair& identity,
                                     const crypto::Ed25519Public& peer, Suite suite,
                                     const ExporterKey& exporter, HandshakeSettings settings,
                                     RandomSource& random);
  /// responder accepts any of `suites`. An unknown or disallowed suite is an error without an answer.
  static Handshake responder(const crypto::Ed25519KeyPair& identity, std::vector<Suite> suites,
                             const ExporterKey& exporter, HandshakeSettings settings, RandomSource& random);
  Handshake(Handshake&&) noexcept;
  Handshake& operator=(Handshake&&) noexcept;
  ~Handshake();

  /// receive takes bytes of the peer's flight and returns how many it used; bytes behind the last handshake
  /// message are not touched (they are frames). Keeps at most one message (65,535 bytes, bounded earlier by
  /// the suite's sizes). Errors: auth_failed, malformed, version; closed after an error and after finish().
  /// The owner hangs up without a word.
  Result<std::size_t> receive(ByteView in);
  /// poll_transmit writes the next flight; 0 = nothing. 4 KiB + padding always suffice.
  std::size_t poll_transmit(ByteSpan out);
  bool done() const;
  /// finish gives the keys, once, when done(). The responder's owner checks keys.peer_key against its
  /// allow-list before it makes a Session. With IK (suite 6) message 1 may be a replay: the peer is proven
  /// only by its first frame.
  SessionKeys finish();

 private:
  struct State;
  explicit Handshake(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace village::htx
