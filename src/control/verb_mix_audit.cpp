// villaged mix audit: did nodes choose their delays? The proofs of an epoch stand in the document two later.
#include <algorithm>

#include "control/files.hpp"
#include "control/json.hpp"
#include "control/mix_audit.hpp"
#include "control/mix_commands.hpp"
#include "control/status_text.hpp"
#include "control/text_forms.hpp"
#include "village/control/config.hpp"
#include "village/net/clock.hpp"

namespace village::control {
namespace {

constexpr std::size_t observations_bytes_max = 1 << 30;
constexpr std::size_t documents_max = 64;

/// Sources is what the configuration says of where to look; empty without one.
struct Sources {
  std::vector<std::string> authorities;   ///< addresses
  std::vector<std::string> observations;  ///< files of this node that are there
  mix::Epochs epochs;
};

Sources sources_of(const Arguments& arguments) {
  Sources out;
  if (const auto length = parse_duration(arguments.value_or("--epoch-length", "")))
    out.epochs.length = *length;
  if (const auto from = arguments.value("--from")) out.authorities.push_back(*from);
  const auto outcome = load_config(config_path(arguments), false);
  if (!outcome.config) return out;
  const auto& mix = outcome.config->mix;
  if (!arguments.has("--epoch-length")) out.epochs = mix.epochs;
  for (const auto& entry : mix.directory.authorities) {
    if (!arguments.has("--from")) out.authorities.push_back(to_text(entry.address));
  }
  const auto folder = mix.keys_path.empty() ? outcome.config->node.state_dir + "/mix" : mix.keys_path;
  for (const auto* file : {"/observations.old.jsonl", "/observations.jsonl"})
    out.observations.push_back(folder + file);
  return out;
}

/// fetch_all asks for the documents that authorities still have: of this epoch and those before.
std::vector<NamedDocument> fetch_all(const Sources& sources, std::string& problem) {
  std::vector<NamedDocument> found;
  const auto current = sources.epochs.at(net::SystemClock{}.wall());
  for (const auto& authority : sources.authorities) {
    for (mix::Epoch back = 0; back < mix::limits::documents_kept && back <= current; ++back) {
      auto document = fetched_document(authority, current - back, problem);
      if (document) found.push_back(*std::move(document));
      if (back == 1 && found.empty()) break;  // it does not answer, or has nothing at all
    }
    if (!found.empty()) break;
  }
  if (found.empty() && sources.authorities.empty())
    problem = "name documents' files, or an authority with --from; the configuration names none";
  return found;
}

bool read_documents(const Arguments& arguments, const Sources& sources, std::vector<NamedDocument>& documents,
                    std::string& problem) {
  const auto& rest = arguments.rest();
  if (rest.size() == 1) {
    documents = fetch_all(sources, problem);
    return !documents.empty();
  }
  for (std::size_t i = 1; i < rest.size(); ++i) {
    auto named = read_document(rest[i], problem);
    if (!named) return false;
    documents.push_back(*std::move(named));
  }
  return true;
}

std::string verdict(const AuditedNode& node) {
  if (node.proof == AuditedNode::Proof::bad) return "BAD PROOF";
  return node.suspect ? "SUSPECT" : "-";
}

std::string_view word(AuditedNode::Proof proof) {
  switch (proof) {
    case AuditedNode::Proof::good:
      return "good";
    case AuditedNode::Proof::bad:
      return "bad";
    case AuditedNode::Proof::none:
      break;
  }
  return "none";
}

int tell(const Arguments& arguments, const MixAudit& audit) {
  Json list = Json::array();
  std::vector<std::vector<std::string>> table{
      {"EPOCH", "NODE", "POLICY", "PROOF", "PACKETS", "WRONG", "VERDICT"}};
  for (const auto& each : audit.nodes()) {
    // Who proves nothing and was not seen needs no row.
    const bool silent = each.proof == AuditedNode::Proof::none && each.packets == 0;
    if (silent) continue;
    list.push_back({{"epoch", each.epoch},
                    {"node", each.node},
                    {"policy", mix::name(each.policy)},
                    {"proof", word(each.proof)},
                    {"packets", each.packets},
                    {"wrong", each.wrong},
                    {"suspect", each.suspect}});
    table.push_back({std::to_string(each.epoch), each.node, std::string{mix::name(each.policy)},
                     each.proof == AuditedNode::Proof::bad ? "BAD" : std::string{word(each.proof)},
                     std::to_string(each.packets), std::to_string(each.wrong), verdict(each)});
  }
  const auto& counts = audit.counts();
  if (arguments.has("--json")) {
    print(Json{{"holds", audit.holds()},
               {"proofs", std::move(list)},
               {"judged", counts.judged},
               {"early", counts.early},
               {"late", counts.late},
               {"pending", counts.pending},
               {"unproved", counts.unproved},
               {"unreadable", counts.unread}}
              .dump(2) +
          "\n");
    return audit.holds() ? exit_fine : exit_failed;
  }
  print(table_text(table));
  if (counts.judged > 0) {
    print(std::to_string(counts.judged) + " packets judged, " + std::to_string(counts.early) +
          " came too early, " + std::to_string(counts.late) + " too late\n");
  }
  if (counts.pending > 0)
    print(std::to_string(counts.pending) +
          " packets wait for proofs, which come two or three epochs later, or for documents\n");
  if (counts.unproved > 0)
    print(std::to_string(counts.unproved) + " packets of epochs without a good proof\n");
  if (counts.unread > 0) print(std::to_string(counts.unread) + " lines that are no observation\n");
  return audit.holds() ? exit_fine : exit_failed;
}

int run(const Arguments& arguments) {
  std::string problem;
  if (arguments.rest().size() > documents_max) return mix_problem("64 documents at most", exit_usage);
  std::optional<mix::DelayPolicy> policy;
  if (const auto word = arguments.value("--policy")) {
    policy = mix::delay_policy(*word);
    if (!policy) return mix_problem("--policy takes \"header\", \"vrf\" or \"max\"", exit_usage);
  }
  const auto tolerance = parse_duration(arguments.value_or("--tolerance", "5ms"));
  if (!tolerance) return mix_problem("--tolerance takes a duration, like 5ms", exit_usage);
  const auto sources = sources_of(arguments);
  std::vector<NamedDocument> documents;
  if (!read_documents(arguments, sources, documents, problem)) return mix_problem(problem, exit_usage);
  MixAudit audit{documents, policy, *tolerance};
  if (const auto path = arguments.value("--observations")) {
    const auto text = read_file(*path, observations_bytes_max, problem);
    if (!text) return mix_problem(problem, exit_usage);
    audit.judge(*text);
  } else if (arguments.rest().size() == 1) {
    for (const auto& path_of_node : sources.observations) {
      if (const auto text = read_file(path_of_node, observations_bytes_max, problem)) audit.judge(*text);
    }
  }
  audit.conclude();
  return tell(arguments, audit);
}

}  // namespace

MixCommand mix_audit_command() {
  return {
      "audit",
      {"audit [FILE ...] [--observations FILE] [--policy header|vrf|max] [--tolerance TIME] [--from "
       "ADDRESS:PORT] "
       "[--json]"},
      "audit checks the VRF proofs that the nodes of these documents have published of past epochs, and "
      "with\n"
      "observations that packets of your own were held as long as proofs and policies say. Without FILE it "
      "asks the\n"
      "authorities of the configuration, or --from, for all documents they still have, and takes the loops "
      "that this node\n"
      "wrote down (mix.delay.policy not \"header\"). A line of observations: {\"epoch\": N, \"hops\": "
      "[{\"node\": "
      "\"bn1:...\", \"tag\":\n"
      "replay tag in hex, \"wish_ns\": N}, ...], \"total_ns\": N}, or of one hop {\"node\", \"epoch\", "
      "\"tag\", \"wish_ns\", \"held_ns\"}.\n"
      "Each node is held to the policy that it states in the documents; --policy takes the place of all of "
      "them.\n"
      "--tolerance is what each hop may add.\n",
      {"audit", "audit document-1470010.json --observations mine.jsonl"},
      {"--observations FILE", "--policy POLICY", "--tolerance TIME", "--from ADDRESS", "--epoch-length TIME",
       "--config FILE", "--json"},
      run};
}

}  // namespace village::control
