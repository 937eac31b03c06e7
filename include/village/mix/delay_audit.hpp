#pragma once
// Anybody's check that a node did not choose its delays. After the epoch a node publishes its VRF proof; who
// knows replay tags of own packets computes the delays that they must have had.
#include "village/base/error.hpp"
#include "village/crypto/vrf.hpp"
#include "village/mix/delay.hpp"

namespace village::mix {

/// PublishedDelays is what a node says of an epoch that is over.
struct PublishedDelays {
  Epoch epoch = 0;
  crypto::VrfProof proof{};
};

/// Observation is one packet of the auditor's own: what went in and came out, and when.
struct Observation {
  sphinx::ReplayTag tag;      ///< at the audited node (the creator of a packet can compute it)
  std::uint64_t wish_ns = 0;  ///< of the packet's slot for this node
  Duration held{};            ///< from arrival to departure, as seen from outside
};

/// DelayVerdict says what an observation shows.
struct DelayVerdict {
  Duration expected{};
  Duration error{};  ///< held - expected
  bool holds = false;
};

/// DelayAudit holds a verified epoch.
class DelayAudit {
 public:
  /// open verifies the proof under the node's VRF key. Errors: bad_key, malformed, bad_signature.
  static Result<DelayAudit> open(const crypto::Ed25519Public& key, const PublishedDelays& published);
  /// open_output takes an epoch's output that is known to be right (a node's own).
  static DelayAudit of_output(const crypto::VrfOutput& output);

  /// delay is what the node must have drawn for a tag, cut at the rules' delay_max.
  Duration delay(const sphinx::ReplayTag& tag, const DelayRules& rules) const;
  /// judge compares an observation with the rules (policy included): the error must lie in
  /// [-1 us, tolerance], tolerance being what the way and the batch may add.
  DelayVerdict judge(const Observation& seen, const DelayRules& rules, Duration tolerance) const;

 private:
  ByteArray<32> key_{};
};

/// Both sides compute the logarithm: results may differ by this much.
inline constexpr Duration audit_tolerance = std::chrono::microseconds{1};

}  // namespace village::mix
