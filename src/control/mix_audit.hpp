#pragma once
// MixAudit: documents and observations of own packets, compared. Who held packets otherwise than it proved is
// found by the share of wrong packets among those that passed it.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/json.hpp"
#include "control/mix_commands.hpp"
#include "village/mix/delay_audit.hpp"

namespace village::control {

/// AuditedNode is a node in one epoch.
struct AuditedNode {
  enum class Proof { none, good, bad };
  std::string node;  ///< bn1: name
  mix::Epoch epoch = 0;
  mix::DelayPolicy policy = mix::DelayPolicy::header;  ///< as its descriptor states
  Proof proof = Proof::none;
  std::size_t packets = 0, wrong = 0;  ///< that passed it and were judged
  bool suspect = false;                ///< nothing explains its wrong packets but itself
};

class MixAudit {
 public:
  /// Each node is held to what it states in the document of the epoch; `policy` takes the place of all their
  /// policies. Signatures are not looked at.
  MixAudit(const std::vector<NamedDocument>& documents, std::optional<mix::DelayPolicy> policy,
           Duration tolerance);

  struct Counts {
    std::size_t judged = 0;
    std::size_t early = 0, late = 0;  ///< of those judged: wrong
    std::size_t pending = 0;          ///< the proofs are not out yet, or no document tells of the epoch
    std::size_t unproved = 0;         ///< a proof that should be there is missing or bad
    std::size_t unread = 0;           ///< lines that are no observation
  };
  /// judge takes observations, one a line.
  void judge(std::string_view text);
  /// conclude finds the suspects: as long as some node has wrong packets at least as often as right ones, the
  /// one with the greatest share, whose packets then count no more against others.
  void conclude();

  const std::vector<AuditedNode>& nodes() const { return nodes_; }
  const Counts& counts() const { return counts_; }
  /// holds: every proof is good and nobody is suspect. Single packets that come late are the network's.
  bool holds() const;

 private:
  struct Hop {
    std::string node;
    sphinx::ReplayTag tag;
    std::uint64_t wish_ns = 0;
  };
  struct Seen {
    mix::Epoch epoch = 0;
    std::vector<Hop> hops;
    Duration total{};
  };
  static std::optional<Seen> read_line(std::string_view text);
  static bool read_hop(const Json& json, Seen& seen);
  /// add makes a place for a node in an epoch, under the parameters of a document.
  std::size_t add(mix::Epoch epoch, const mix::Descriptor& node, const mix::Parameters& parameters);
  void judge(const Seen& seen);
  std::optional<std::size_t> place_of(mix::Epoch epoch, const std::string& node) const;

  std::optional<mix::DelayPolicy> policy_;
  Duration tolerance_;
  mix::Epoch newest_ = 0;
  std::vector<AuditedNode> nodes_;
  std::vector<std::optional<mix::DelayAudit>> proofs_;  ///< of nodes_
  std::vector<std::optional<mix::DelayRules>> rules_;   ///< of nodes_; none = no document of the epoch
  std::vector<crypto::Ed25519Public> keys_;             ///< of nodes_
  std::map<std::pair<mix::Epoch, std::string>, std::size_t> places_;
  std::vector<std::vector<std::size_t>> wrong_;  ///< places of the hops of each wrong packet
  Counts counts_;
};

}  // namespace village::control
