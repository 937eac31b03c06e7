#pragma once
// Rekey: the hybrid re-handshake inside a session. Whoever stole the session's keys, but not the static keys
// of the two nodes, is locked out once it is done.
//
// REKEY frames (type 0x07, stream 0) carry Noise_KKhfs_25519+MLKEM768 with the session's AEAD and hash:
//
//   starter                                other side
//   offer  1 | message 1 (1,248)   --->
//                                  <---    answer 2 | message 2 (1,152), the last frame under its old key
//   done   3                       --->    (the last frame under the starter's old key)
//
// Behind its answer, or its done, a side seals with TS' = L(HKDF-Extract(TS, k), "rekey", 32), k being its
// direction's key of Split. Nothing waits meanwhile. If both start at once the client's offer counts and the
// server's is passed over. The state exists only while a re-handshake runs.
#include <memory>
#include <optional>

#include "htx/key_update_budget.hpp"
#include "village/base/random.hpp"
#include "village/htx/handshake.hpp"
#include "village/htx/limits.hpp"
#include "village/noise/handshake_state.hpp"

namespace village::htx {

/// RekeyMail is a REKEY frame to be sent, and the secret that its direction changes to behind it.
struct RekeyMail {
  Bytes plaintext;
  std::optional<crypto::Secret<32>> change;
};

class Rekey {
 public:
  Rekey(Role role, const SessionKeys& keys, Instant now);

  /// able: this side has what it takes.
  bool able() const { return identity_ != nullptr; }
  bool running() const { return run_ != nullptr; }
  /// started is when this side said its first word; only while it runs.
  Instant started() const { return run_->started; }
  /// expires is when the peer must have done its part, if the link is not slow.
  Instant expires() const { return run_ ? run_->started + limits::rekey_time_max : Instant::max(); }
  Instant last() const { return last_; }
  std::uint32_t count() const { return count_; }
  /// may_start: nothing runs, and the peer would not take it for a flood.
  bool may_start(Instant now) const { return able() && !run_ && own_budget_.affords({}, now); }

  /// start gives the offer. Only when may_start() (VG_CHECKed).
  RekeyMail start(RandomSource& random, Instant now);

  /// Outcome is what a frame of the peer leads to: an answer or a done, and what its direction changes to
  /// before its next frame.
  struct Outcome {
    std::optional<RekeyMail> mail;
    std::optional<crypto::Secret<32>> change;
  };
  /// receive takes the plaintext of a REKEY frame. `quiet`: this side sends no more, so offers are passed
  /// over. Errors: malformed (form, or not its turn), exhausted (too many offers), auth_failed (Noise refused
  /// it).
  Result<Outcome> receive(ByteView plaintext, bool quiet, RandomSource& random, Instant now);

 private:
  struct Run {
    noise::HandshakeState noise;
    Instant started;
    bool starter;
    bool outvoted = false;                     ///< the peer's own offer was passed over
    std::optional<crypto::Secret<32>> change;  ///< of the starter's direction, until its done
  };
  Result<noise::HandshakeState> handshake(bool starter, RandomSource& random) const;
  Result<Outcome> on_offer(ByteView message, bool quiet, RandomSource& random, Instant now);
  Result<Outcome> on_answer(ByteView message, Instant now);
  Result<Outcome> on_done(Instant now);
  void finished(Instant now);

  Role role_;
  crypto::AeadAlgorithm algorithm_;
  Suite suite_;
  ByteArray<32> session_hash_;
  std::shared_ptr<const RekeyIdentity> identity_;
  std::unique_ptr<Run> run_;
  Instant last_;
  std::uint32_t count_ = 0;
  KeyUpdateBudget own_budget_, peer_budget_;
};

}  // namespace village::htx
