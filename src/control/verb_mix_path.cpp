// villaged mix path: ways through the mixnet, as a client would choose them.
#include "control/json.hpp"
#include "control/mix_commands.hpp"
#include "control/status_text.hpp"
#include "village/crypto/random.hpp"

namespace village::control {
namespace {

constexpr std::uint64_t paths_max = 1'000;

/// recipient_of is --to, or else a gateway drawn by capacity.
std::optional<wire::NodeId> recipient_of(const Arguments& arguments, const mix::MixView& view,
                                         RandomSource& random, std::string& problem) {
  if (const auto to = arguments.value("--to")) {
    const auto id = wire::NodeId::parse(*to);
    if (id) return *id;
    problem = "--to takes a node's name, bn1: and 39 characters";
    return std::nullopt;
  }
  if (!view.gateways().empty()) return view.draw(0, random).id;
  problem = "the document has no gateway; --to names another recipient";
  return std::nullopt;
}

std::string hop_address(const mix::NodeEntry& hop) {
  const auto target = sphinx::target_of(hop.mix_address);
  return target ? to_text(*target) : "?";
}

int run(const Arguments& arguments) {
  std::string problem;
  if (arguments.rest().size() > 2)
    return mix_problem("unexpected \"" + arguments.rest()[2] + "\"", exit_usage);
  const auto path = arguments.rest().size() == 2 ? std::optional{arguments.rest()[1]} : std::nullopt;
  const auto named = find_document(arguments, path, problem);
  if (!named) return mix_problem(problem, exit_usage);
  const auto& document = named->document.document;
  const auto hops =
      number_option(arguments, "--hops", document.parameters.hops, 1, mix::mix_layers + 2, problem);
  if (!hops) return mix_problem(problem, exit_usage);
  const auto count = number_option(arguments, "--count", 1, 1, paths_max, problem);
  if (!count) return mix_problem(problem, exit_usage);
  const auto view = mix::MixView::make(document);
  crypto::SystemRandom random;
  mix::PathOptions options;
  options.hops = *hops;
  Json json = Json::array();
  std::vector<std::vector<std::string>> table{{"PATH", "HOP", "LAYER", "NODE", "MIX ADDRESS", "OPERATOR"}};
  for (std::uint64_t number = 1; number <= *count; ++number) {
    const auto recipient = recipient_of(arguments, *view, random, problem);
    if (!recipient) return mix_problem(problem, exit_usage);
    const auto chosen = mix::choose_path(*view, *recipient, random, options);
    if (!chosen) return mix_problem(mix::directory_problem(chosen.error()), exit_failed);
    Json hops_json = Json::array();
    for (std::size_t i = 0; i < chosen->size(); ++i) {
      const auto& hop = *(*chosen)[i];
      hops_json.push_back({{"node", hop.id.name()},
                           {"layer", hop.layer},
                           {"mix_address", hop_address(hop)},
                           {"operator", hop.operator_name}});
      table.push_back({std::to_string(number), std::to_string(i + 1),
                       hop.layer == 0 ? "-" : std::to_string(hop.layer), hop.id.name(), hop_address(hop),
                       hop.operator_name.empty() ? "-" : hop.operator_name});
    }
    json.push_back(std::move(hops_json));
  }
  if (arguments.has("--json")) {
    print(Json{{"epoch", document.epoch}, {"paths", std::move(json)}}.dump(2) + "\n");
  } else {
    print(table_text(table));
  }
  return exit_fine;
}

}  // namespace

MixCommand mix_path_command() {
  return {"path",
          {"path [FILE] [--to NODE] [--hops N] [--count N] [--from ADDRESS:PORT] [--epoch N] [--json]"},
          "path chooses ways to a gateway (--to, or one by capacity), as a client would: weighted by "
          "capacity, no "
          "operator\n"
          "and no network twice.\n",
          {"path --to bn1:... --hops 4 --count 10"},
          {"--to NODE", "--hops N", "--count N", "--from ADDRESS", "--epoch N", "--config FILE", "--json"},
          run};
}

}  // namespace village::control
