// villaged mix audit: did nodes choose their delays? The proofs of an epoch stand in the document two later.
#include <algorithm>
#include <map>

#include "control/files.hpp"
#include "control/json.hpp"
#include "control/mix_commands.hpp"
#include "control/status_text.hpp"
#include "control/text_forms.hpp"
#include "village/mix/delay_audit.hpp"

namespace village::control {
namespace {

constexpr std::size_t observations_bytes_max = 64 << 20;
constexpr std::size_t documents_max = 64;

/// Found is one node's proof of one epoch, and what the check said.
struct Found {
  std::string node;
  mix::Epoch epoch;
  std::optional<mix::DelayAudit> audit;  ///< if the proof is good
  std::size_t observed = 0, wrong = 0;
};

struct Judged {
  std::vector<Found> found;
  std::size_t unproved = 0;  ///< observations of epochs that nobody proved
  std::size_t unread = 0;    ///< lines that are no observation
};

/// audit_document checks the proofs that one document carries. The key is that of the document itself: a node
/// that changes its VRF key between an epoch and its proof has no good proof.
void audit_document(const mix::Document& document,
                    const std::map<std::pair<mix::Epoch, std::string>, crypto::Ed25519Public>& keys,
                    std::vector<Found>& found) {
  for (const auto& node : document.nodes) {
    for (const auto& proof : node.vrf_proofs) {
      const auto id = node.id().name();
      const bool known = std::any_of(found.begin(), found.end(), [&](const Found& each) {
        return each.node == id && each.epoch == proof.epoch;
      });
      if (known) continue;
      const auto then = keys.find({proof.epoch, id});  // from the document of that epoch, if it was given
      const auto& key = then != keys.end() ? then->second : node.vrf_key;
      auto audit = mix::DelayAudit::open(key, {proof.epoch, proof.proof});
      Found each{id, proof.epoch, {}};
      if (audit) each.audit.emplace(*std::move(audit));
      found.push_back(std::move(each));
    }
  }
}

struct Line {
  std::string node;
  mix::Epoch epoch;
  mix::Observation seen;
};

std::optional<Line> read_line(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto number = [&json](const char* member) -> std::optional<std::uint64_t> {
    if (!json.contains(member) || !json[member].is_number_unsigned()) return std::nullopt;
    return json[member].get<std::uint64_t>();
  };
  const auto epoch = number("epoch"), wish = number("wish_ns"), held = number("held_ns");
  if (!epoch || !wish || !held || *held > static_cast<std::uint64_t>(mix::json_integer_max))
    return std::nullopt;
  for (const auto* member : {"node", "tag"}) {
    if (!json.contains(member) || !json[member].is_string()) return std::nullopt;
  }
  const auto tag = from_hex(json["tag"].get<std::string>());
  Line out{json["node"].get<std::string>(), *epoch, {}};
  if (!tag || tag->size() != out.seen.tag.size()) return std::nullopt;
  std::copy(tag->begin(), tag->end(), out.seen.tag.begin());
  out.seen.wish_ns = *wish;
  out.seen.held = Duration{static_cast<Duration::rep>(*held)};
  return out;
}

void judge_lines(std::string_view text, const mix::DelayRules& rules, Duration tolerance, Judged& judged) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const auto seen = read_line(line);
    if (!seen) {
      ++judged.unread;
      continue;
    }
    const auto at = std::find_if(judged.found.begin(), judged.found.end(), [&seen](const Found& each) {
      return each.node == seen->node && each.epoch == seen->epoch && each.audit;
    });
    if (at == judged.found.end()) {
      ++judged.unproved;
      continue;
    }
    ++at->observed;
    if (!at->audit->judge(seen->seen, rules, tolerance).holds) ++at->wrong;
  }
}

/// rules_of reads --policy; mean and maximum are the document's.
std::optional<mix::DelayRules> rules_of(const Arguments& arguments, const mix::Parameters& parameters,
                                        std::string& problem) {
  mix::DelayRules rules;
  const auto policy = arguments.value_or("--policy", "vrf");
  if (policy != "vrf" && policy != "max") {
    problem = "--policy takes \"vrf\" or \"max\": under \"header\" nothing is drawn";
    return std::nullopt;
  }
  rules.policy = policy == "vrf" ? mix::DelayPolicy::vrf : mix::DelayPolicy::max;
  const auto distribution = mix::DelayDistribution::exponential(parameters.delay_mean);
  if (!distribution) {
    problem = "the document's mean delay cannot be drawn from";
    return std::nullopt;
  }
  rules.distribution = *distribution;
  rules.delay_max = parameters.delay_max;
  return rules;
}

int tell(const Arguments& arguments, const Judged& judged) {
  bool holds = judged.unread == 0 && judged.unproved == 0;
  Json list = Json::array();
  std::vector<std::vector<std::string>> table{{"EPOCH", "NODE", "PROOF", "PACKETS", "WRONG"}};
  for (const auto& each : judged.found) {
    holds = holds && each.audit && each.wrong == 0;
    list.push_back({{"epoch", each.epoch},
                    {"node", each.node},
                    {"proof", each.audit ? "good" : "bad"},
                    {"packets", each.observed},
                    {"wrong", each.wrong}});
    table.push_back({std::to_string(each.epoch), each.node, each.audit ? "good" : "BAD",
                     std::to_string(each.observed), std::to_string(each.wrong)});
  }
  if (arguments.has("--json")) {
    print(Json{{"holds", holds},
               {"proofs", std::move(list)},
               {"unproved", judged.unproved},
               {"unreadable", judged.unread}}
              .dump(2) +
          "\n");
  } else {
    print(table_text(table));
    if (judged.unproved > 0)
      print(std::to_string(judged.unproved) + " packets of epochs without a good proof\n");
    if (judged.unread > 0) print(std::to_string(judged.unread) + " lines that are no observation\n");
  }
  return holds ? exit_fine : exit_failed;
}

int run(const Arguments& arguments) {
  std::string problem;
  std::vector<NamedDocument> documents;
  const auto& rest = arguments.rest();
  if (rest.size() > documents_max) return mix_problem("64 documents at most", exit_usage);
  for (std::size_t i = 1; i < std::max<std::size_t>(rest.size(), 2); ++i) {
    const auto path = i < rest.size() ? std::optional{rest[i]} : std::nullopt;
    auto named = find_document(arguments, path, problem);
    if (!named) return mix_problem(problem, exit_usage);
    documents.push_back(*std::move(named));
  }
  std::map<std::pair<mix::Epoch, std::string>, crypto::Ed25519Public> keys;
  for (const auto& [source, each] : documents) {
    for (const auto& node : each.document.nodes) keys[{each.document.epoch, node.id().name()}] = node.vrf_key;
  }
  Judged judged;
  for (const auto& [source, each] : documents) audit_document(each.document, keys, judged.found);
  const auto rules = rules_of(arguments, documents.front().document.document.parameters, problem);
  if (!rules) return mix_problem(problem, exit_usage);
  const auto tolerance = parse_duration(arguments.value_or("--tolerance", "5ms"));
  if (!tolerance) return mix_problem("--tolerance takes a duration, like 5ms", exit_usage);
  if (const auto path = arguments.value("--observations")) {
    const auto text = read_file(*path, observations_bytes_max, problem);
    if (!text) return mix_problem(problem, exit_usage);
    judge_lines(*text, *rules, *tolerance, judged);
  }
  return tell(arguments, judged);
}

}  // namespace

MixCommand mix_audit_command() {
  return {
      "audit",
      {"audit [FILE ...] [--observations FILE] [--policy vrf|max] [--tolerance TIME] [--json]"},
      "audit checks the VRF proofs of past epochs that the nodes of these documents have published, and with "
      "--observations\n"
      "that packets of your own were held as long as the proofs say. Each line of that file: {\"node\": "
      "\"bn1:...\",\n"
      "\"epoch\": N, \"tag\": replay tag in hex, \"wish_ns\": N, \"held_ns\": N}.\n",
      {"audit document-1470010.json --observations mine.jsonl"},
      {"--observations FILE", "--policy POLICY", "--tolerance TIME", "--from ADDRESS", "--epoch N",
       "--config FILE", "--json"},
      run};
}

}  // namespace village::control
