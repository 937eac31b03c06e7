// The small verbs: keygen, limits, version.
#include <map>

#include "control/arguments.hpp"
#include "control/identity.hpp"
#include "control/json.hpp"
#include "control/status_text.hpp"
#include "control/verbs.hpp"
#include "village/base/limits.hpp"
#include "village/crypto/random.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

int keygen(const std::vector<std::string>& args) {
  const Arguments arguments{args, keygen_verb().options};
  if (!arguments.problem().empty()) return complain("keygen", arguments.problem(), exit_usage);
  if (!arguments.rest().empty()) return complain("keygen", "nothing but options is expected", exit_usage);
  crypto::SystemRandom random;
  const auto identity = crypto::Ed25519KeyPair::generate(random);
  Json made{{"node", node_name(identity.public_key)}, {"key", wire::base64url(identity.public_key)}};
  if (const auto path = arguments.value("--out")) {
    std::string problem;
    if (!write_identity(*path, identity, problem)) return complain("keygen", problem, exit_failed);
    made["file"] = *path;
  } else {
    made["seed"] = wire::base64url(identity.seed.view());
  }
  if (arguments.has("--json")) {
    print(made.dump(2) + "\n");
    return exit_fine;
  }
  for (const auto& [key, value] : made.items()) {
    print(key + std::string(6 - key.size(), ' ') + value.get<std::string>() + "\n");
  }
  return exit_fine;
}

std::string cost_text(std::uint64_t bytes) {
  return bytes == 0 ? "-" : bytes_text(static_cast<double>(bytes));
}

int limits_run(const std::vector<std::string>& args) {
  const Arguments arguments{args, limits_verb().options};
  if (!arguments.problem().empty()) return complain("limits", arguments.problem(), exit_usage);
  if (!arguments.rest().empty()) return complain("limits", "nothing but options is expected", exit_usage);
  const auto all = village::limits::all();
  std::map<std::string, std::uint64_t> sums;
  std::uint64_t total = 0;
  for (const auto& row : all) {
    sums[std::string{row.module}] += row.count * row.bytes_each;
    total += row.count * row.bytes_each;
  }
  if (arguments.has("--json")) {
    Json out{{"limits", Json::array()}, {"modules", Json::array()}, {"bytes", total}};
    for (const auto& row : all) {
      out["limits"].push_back({{"module", row.module},
                               {"name", row.name},
                               {"count", row.count},
                               {"bytes_each", row.bytes_each},
                               {"bytes", row.count * row.bytes_each},
                               {"why", row.why}});
    }
    for (const auto& [module, bytes] : sums) out["modules"].push_back({{"module", module}, {"bytes", bytes}});
    print(out.dump(2) + "\n");
    return exit_fine;
  }
  std::vector<std::vector<std::string>> rows{{"MODULE", "LIMIT", "COUNT", "EACH", "ALL", "WHY"}};
  for (const auto& row : all) {
    rows.push_back({std::string{row.module}, std::string{row.name}, std::to_string(row.count),
                    cost_text(row.bytes_each), cost_text(row.count * row.bytes_each), std::string{row.why}});
  }
  print(table_text(rows));
  std::vector<std::vector<std::string>> table{{"MODULE", "AT MOST"}};
  for (const auto& [module, bytes] : sums) table.push_back({module, cost_text(bytes)});
  table.push_back({"all", cost_text(total)});
  print("\n" + table_text(table));
  return exit_fine;
}

int version_run(const std::vector<std::string>& args) {
  const Arguments arguments{args, version_verb().options};
  if (!arguments.problem().empty()) return complain("version", arguments.problem(), exit_usage);
  if (!arguments.rest().empty()) return complain("version", "nothing but options is expected", exit_usage);
  if (arguments.has("--json")) {
    print(Json{{"version", version()}, {"compiler", compiler()}}.dump(2) + "\n");
  } else {
    print("villaged " + std::string{version()} + " (" + std::string{compiler()} + ")\n");
  }
  return exit_fine;
}

}  // namespace

Verb keygen_verb() {
  return {"keygen",
          "make an identity key",
          "usage: villaged keygen [--out FILE] [--json]\n"
          "\n"
          "Makes an Ed25519 key pair. With --out the seed goes to FILE (mode 0600, never overwritten) and "
          "only the node's\n"
          "name and public key are printed; without it the seed is printed too.\n"
          "\n"
          "example: villaged keygen --out identity.key\n",
          keygen,
          {},
          {"--out FILE", "--json"}};
}

Verb limits_verb() {
  return {"limits",
          "list what a node may cost at most",
          "usage: villaged limits [--json]\n"
          "\n"
          "Lists every bound built into this program: how many of something, what one of them may take in "
          "memory, and why;\n"
          "then the sum of each module.\n"
          "\n"
          "example: villaged limits --json\n",
          limits_run,
          {},
          {"--json"}};
}

Verb version_verb() {
  return {"version",
          "print the version",
          "usage: villaged version [--json]\n"
          "\n"
          "Prints the version and the compiler that built it.\n"
          "\n"
          "example: villaged version\n",
          version_run,
          {},
          {"--json"}};
}

}  // namespace village::control
