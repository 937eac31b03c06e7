// villaged check: every mistake of a configuration.
#include <cstdio>

#include "control/arguments.hpp"
#include "control/json.hpp"
#include "control/verbs.hpp"
#include "village/control/config.hpp"

namespace village::control {
namespace {

Json to_json(const std::vector<Diagnostic>& list) {
  auto out = Json::array();
  for (const auto& each : list) {
    out.push_back({{"file", each.file},
                   {"line", each.line},
                   {"column", each.column},
                   {"pointer", each.pointer},
                   {"message", each.message}});
  }
  return out;
}

std::string count_text(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

int run(const std::vector<std::string>& args) {
  const Arguments arguments{args, check_verb().options};
  if (!arguments.problem().empty()) return complain("check", arguments.problem(), exit_usage);
  if (arguments.rest().size() > (arguments.has("--config") ? 0U : 1U)) {
    return complain("check", "one file at a time: villaged check --config FILE", exit_usage);
  }
  const auto path = arguments.rest().empty() ? config_path(arguments) : arguments.rest().front();
  const auto outcome = load_config(path);
  const bool good = outcome.config.has_value();
  if (arguments.has("--json")) {
    const Json report{{"file", path},
                      {"ok", good},
                      {"errors", to_json(outcome.errors)},
                      {"warnings", to_json(outcome.warnings)}};
    print(report.dump(2) + "\n");
    return good ? exit_fine : exit_usage;
  }
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  for (const auto& warning : outcome.warnings) std::fprintf(stderr, "warning: %s\n", warning.text().c_str());
  if (!good) {
    std::fprintf(stderr, "%s in %s\n", count_text(outcome.errors.size(), "error").c_str(), path.c_str());
    return exit_usage;
  }
  print(path + ": fine" +
        (outcome.warnings.empty() ? "" : ", " + count_text(outcome.warnings.size(), "warning")) + "\n");
  return exit_fine;
}

}  // namespace

Verb check_verb() {
  return {
      "check",
      "check a configuration",
      "usage: villaged check [--config FILE] [--json]\n"
      "\n"
      "Reads the configuration and the files it names, and tells every mistake: file:line:column, the key, "
      "what was\n"
      "expected. Without --config: ./villaged.json, ~/.villaged/villaged.json, /etc/villaged/villaged.json.\n"
      "Exit status: 0 fine (there may be warnings), 2 errors.\n"
      "\n"
      "example: villaged check --config /etc/villaged/villaged.json\n",
      run,
      {},
      {"--config FILE", "--json"}};
}

}  // namespace village::control
