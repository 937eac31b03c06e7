#include "control/mix_audit.hpp"

#include <algorithm>

namespace village::control {
namespace {

constexpr double suspect_share = 0.5;
constexpr mix::Epoch proof_lag = 3;  // epochs until a proof must stand in a document; most do after two
constexpr std::size_t hops_max = 16;

std::optional<std::uint64_t> number(const Json& json, const char* member) {
  const auto found = json.find(member);
  if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto value = found->get<std::uint64_t>();
  return value <= static_cast<std::uint64_t>(mix::json_integer_max) ? std::optional{value} : std::nullopt;
}

}  // namespace

MixAudit::MixAudit(const std::vector<NamedDocument>& documents, std::optional<mix::DelayPolicy> policy,
                   Duration tolerance)
    : policy_{policy}, tolerance_{tolerance} {
  for (const auto& [source, each] : documents) {
    newest_ = std::max(newest_, each.document.epoch);
    for (const auto& node : each.document.nodes) {
      if (!place_of(each.document.epoch, node.id().name()))
        add(each.document.epoch, node, each.document.parameters);
    }
  }
  for (const auto& [source, each] : documents) {
    for (const auto& node : each.document.nodes) {
      for (const auto& proof : node.vrf_proofs) {
        auto place = place_of(proof.epoch, node.id().name());
        // Of an epoch whose document nobody has: the key and the policy of now.
        if (!place) place = add(proof.epoch, node, each.document.parameters);
        if (nodes_[*place].proof != AuditedNode::Proof::none) continue;
        // The key is that of the epoch's own document: a node that changes it meanwhile has no good proof.
        auto audit = mix::DelayAudit::open(keys_[*place], {proof.epoch, proof.proof});
        nodes_[*place].proof = audit ? AuditedNode::Proof::good : AuditedNode::Proof::bad;
        if (audit) proofs_[*place].emplace(*std::move(audit));
      }
    }
  }
}

std::size_t MixAudit::add(mix::Epoch epoch, const mix::Descriptor& node, const mix::Parameters& parameters) {
  auto stated = node.delay;
  stated.policy = policy_.value_or(stated.policy);
  const auto place = nodes_.size();
  places_[{epoch, node.id().name()}] = place;
  nodes_.push_back({node.id().name(), epoch, stated.policy, AuditedNode::Proof::none, 0, 0, false});
  auto rules = mix::delay_rules(stated, parameters.delay_mean, parameters.delay_max);
  rules_.push_back(rules ? std::optional{*std::move(rules)} : std::nullopt);
  proofs_.emplace_back();
  keys_.push_back(node.vrf_key);
  return place;
}

std::optional<std::size_t> MixAudit::place_of(mix::Epoch epoch, const std::string& node) const {
  const auto found = places_.find({epoch, node});
  return found == places_.end() ? std::nullopt : std::optional{found->second};
}

bool MixAudit::read_hop(const Json& hop, Seen& seen) {
  if (!hop.is_object() || seen.hops.size() >= hops_max) return false;
  const auto wish = number(hop, "wish_ns");
  for (const auto* member : {"node", "tag"}) {
    if (!hop.contains(member) || !hop[member].is_string()) return false;
  }
  const auto tag = from_hex(hop["tag"].get<std::string>());
  Hop out;
  if (!wish || !tag || tag->size() != out.tag.size()) return false;
  out.node = hop["node"].get<std::string>();
  std::copy(tag->begin(), tag->end(), out.tag.begin());
  out.wish_ns = *wish;
  seen.hops.push_back(std::move(out));
  return true;
}

std::optional<MixAudit::Seen> MixAudit::read_line(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  Seen seen;
  const auto epoch = number(json, "epoch");
  const bool whole_way = json.contains("hops");
  const auto total = number(json, whole_way ? "total_ns" : "held_ns");
  if (!epoch || !total) return std::nullopt;
  seen.epoch = *epoch;
  seen.total = Duration{static_cast<Duration::rep>(*total)};
  if (!whole_way) return read_hop(json, seen) ? std::optional{std::move(seen)} : std::nullopt;
  if (!json["hops"].is_array() || json["hops"].empty()) return std::nullopt;
  for (const auto& hop : json["hops"]) {
    if (!read_hop(hop, seen)) return std::nullopt;
  }
  return seen;
}

void MixAudit::judge(std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (const auto seen = read_line(line)) {
      judge(*seen);
    } else {
      ++counts_.unread;
    }
  }
}

void MixAudit::judge(const Seen& seen) {
  std::vector<std::size_t> places;
  Duration expected{};
  bool pending = false, unproved = false;
  for (const auto& hop : seen.hops) {
    const auto place = place_of(seen.epoch, hop.node);
    if (!place || !rules_[*place]) {
      (seen.epoch + proof_lag > newest_ || !place ? pending : unproved) = true;
      continue;
    }
    const bool draws = rules_[*place]->policy != mix::DelayPolicy::header;
    if (draws && !proofs_[*place]) {
      const bool due = seen.epoch + proof_lag <= newest_ || nodes_[*place].proof == AuditedNode::Proof::bad;
      (due ? unproved : pending) = true;
      continue;
    }
    places.push_back(*place);
    const mix::Observation one{hop.tag, hop.wish_ns, Duration{0}};
    static const auto nothing = mix::DelayAudit::of_output({});
    const auto& audit = draws ? *proofs_[*place] : nothing;
    expected += audit.judge(one, *rules_[*place], Duration{0}).expected;
  }
  if (unproved || pending) {
    ++(unproved ? counts_.unproved : counts_.pending);
    return;
  }
  ++counts_.judged;
  const auto hops = static_cast<Duration::rep>(places.size());
  const auto error = seen.total - expected;
  const bool early = error<-hops * mix::audit_tolerance, late = error> hops * tolerance_;
  counts_.early += early ? 1 : 0;
  counts_.late += late ? 1 : 0;
  for (const auto place : places) {
    ++nodes_[place].packets;
    nodes_[place].wrong += early || late ? 1 : 0;
  }
  if (early || late) wrong_.push_back(std::move(places));
}

void MixAudit::conclude() {
  auto left = wrong_;
  for (;;) {
    std::map<std::size_t, std::size_t> wrong;
    for (const auto& places : left) {
      for (const auto place : places) ++wrong[place];
    }
    double greatest = 0;
    const auto share = [&](const auto& each) {
      return static_cast<double>(each.second) / static_cast<double>(nodes_[each.first].packets);
    };
    for (const auto& each : wrong) greatest = std::max(greatest, share(each));
    if (greatest < suspect_share) return;
    for (const auto& each : wrong) {
      if (share(each) == greatest) nodes_[each.first].suspect = true;
    }
    std::erase_if(left, [this](const auto& places) {
      return std::any_of(places.begin(), places.end(), [this](auto place) { return nodes_[place].suspect; });
    });
  }
}

bool MixAudit::holds() const {
  const bool fine = std::all_of(nodes_.begin(), nodes_.end(), [](const AuditedNode& node) {
    return node.proof != AuditedNode::Proof::bad && !node.suspect;
  });
  return fine && counts_.early == 0 && counts_.unproved == 0 && counts_.unread == 0;
}

}  // namespace village::control
