#pragma once
// The private keys of a mix node, by epoch: Sphinx keys that open packets, and the VRF that draws delays.
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "village/crypto/vrf.hpp"
#include "village/crypto/x25519.hpp"
#include "village/mix/clock_guard.hpp"
#include "village/mix/delay_audit.hpp"
#include "village/mix/epoch.hpp"

namespace village::mix {

/// EpochKeys is what workers need for one epoch. Shared by them, immutable; wiped when the last lets go.
struct EpochKeys {
  Epoch epoch = 0;
  crypto::X25519Private sphinx_private;
  crypto::X25519Public sphinx_public{};
  crypto::Secret<32> delay_key;  ///< first half of the VRF output: secret until the epoch's last packet left
};
using EpochKeysPtr = std::shared_ptr<const EpochKeys>;

/// NodeKeys makes and forgets keys. One thread (the service's control side); what it hands out may go to
/// others. Holds at most limits::node_epochs_max + 2 epochs.
class NodeKeys {
 public:
  NodeKeys(Epochs epochs, crypto::VrfKeyPair vrf);

  /// generate makes the keys of an epoch, unless they are there. Keys are made for e, e + 1 and e + 2: their
  /// public halves are published ahead. About 0.5 ms.
  EpochKeysPtr generate(Epoch epoch, RandomSource& random);
  /// replace makes another key for an epoch that has not begun: packets of it are nowhere yet.
  EpochKeysPtr replace(Epoch epoch, RandomSource& random);
  /// add takes over a key from a file.
  EpochKeysPtr add(Epoch epoch, crypto::X25519Private key);
  EpochKeysPtr find(Epoch epoch) const;
  /// epochs are those with keys, oldest first.
  std::vector<Epoch> epochs() const;
  const crypto::Ed25519Public& vrf_public() const { return vrf_.public_key; }
  const Epochs& times() const { return epochs_; }

  /// expire forgets the keys whose overlap is over and returns their epochs: workers must remove them, and
  /// their files must go. What workers still hold is wiped when they let go. A wall clock that jumps ahead
  /// (against `now`, since the last call) must stay there for clock_patience before a key dies of it.
  std::vector<Epoch> expire(Instant now, WallTime wall);
  static constexpr Duration clock_patience = std::chrono::minutes{5};

  /// publishable is the proof of an epoch whose last packet has left: its end, the overlap and `delay_max`
  /// are over. nullopt: not yet, or never had it. Kept for limits::published_epochs_max epochs.
  std::optional<PublishedDelays> publishable(Epoch epoch, WallTime now, Duration delay_max) const;

 private:
  EpochKeysPtr store(Epoch epoch, crypto::X25519KeyPair pair);

  Epochs epochs_;
  crypto::VrfKeyPair vrf_;
  std::map<Epoch, EpochKeysPtr> keys_;
  std::map<Epoch, crypto::VrfProof> proofs_;
  ClockGuard clock_;
};

}  // namespace village::mix
