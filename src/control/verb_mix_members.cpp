// villaged mix authority|node|client: who signs the directory, whom it lists, and whom this gateway serves.
#include <algorithm>

#include "control/config_change.hpp"
#include "control/identity.hpp"
#include "control/mix_commands.hpp"
#include "control/mix_members.hpp"
#include "control/scalar_shapes.hpp"
#include "control/status_text.hpp"
#include "control/suggest.hpp"
#include "control/text_forms.hpp"
#include "village/mix/document.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using service::MixAuthorityEntry;
using service::MixClientEntry;

const std::vector<std::string> words{"add", "list", "remove"};

using Action = int (*)(const Arguments&);

/// run_word does what the word behind `noun` says.
int run_word(const Arguments& arguments, const std::string& noun, Action add, Action remove, Action list) {
  const auto& rest = arguments.rest();
  if (rest.size() < 2) return mix_problem(noun + ": say what: " + quoted_list(words), exit_usage);
  if (rest[1] == "add") return add(arguments);
  if (rest[1] == "remove") return remove(arguments);
  if (rest[1] == "list" && rest.size() == 2) return list(arguments);
  if (rest[1] == "list") return mix_problem("unexpected \"" + rest[2] + "\"", exit_usage);
  const auto meant = nearest(rest[1], words);
  return mix_problem(
      noun + ": unknown \"" + rest[1] + "\"; " +
          (meant.empty() ? "expected " + quoted_list(words) : "did you mean \"" + meant + "\"?"),
      exit_usage);
}

template <class Entry>
std::optional<std::size_t> place_of(const std::vector<Entry>& list, const crypto::Ed25519Public& key) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.key == key; });
  return found == list.end() ? std::nullopt : std::optional{static_cast<std::size_t>(found - list.begin())};
}
template <class Entry>
std::optional<std::size_t> place_of(const std::vector<Entry>& list, const std::string& name) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.name == name; });
  return found == list.end() ? std::nullopt : std::optional{static_cast<std::size_t>(found - list.begin())};
}

template <class Entry>
std::string nobody(const std::vector<Entry>& list, const std::string& what, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& each : list) names.push_back(each.name);
  const auto meant = nearest(name, names);
  return "there is no " + what + " \"" + name + "\"" +
         (meant.empty() ? "" : "; did you mean \"" + meant + "\"?");
}

int finish(const Arguments& arguments, ConfigChange& change, const std::string& text) {
  if (!change.save()) return mix_problem(change.problem(), exit_failed);
  print(text);
  return apply_change(arguments, "mix", change.config());
}

// --- authorities

/// set_threshold follows the number of authorities: what --threshold says, else more than two thirds.
std::string set_threshold(const Arguments& arguments, ConfigChange& change, std::size_t count,
                          std::string& problem) {
  const auto threshold = number_option(arguments, "--threshold", mix::threshold_of(count), 1, count, problem);
  if (!threshold) return {};
  change.edit().set("/mix/directory/threshold", *threshold);
  return "a document needs " + std::to_string(*threshold) + " of " + std::to_string(count) + " signatures\n";
}

int add_authorities(const Arguments& arguments) {
  std::string list, problem;
  for (std::size_t i = 2; i < arguments.rest().size(); ++i) list += arguments.rest()[i] + " ";
  if (list.empty())
    return mix_problem("name them: villaged mix authority add NAME=KEY@HOST:PORT ...", exit_usage);
  const auto given = parse_authorities(list, problem);
  if (!given) return mix_problem(problem, exit_usage);
  ConfigChange change{config_path(arguments)};
  if (!change.open()) return mix_problem(change.problem(), exit_usage);
  auto all = change.config().mix.directory.authorities;
  std::string text;
  for (const auto& entry : *given) {
    if (const auto known = place_of(all, entry.key)) {
      const auto pointer = "/mix/directory/authorities/" + std::to_string(*known);
      change.edit().set(pointer + "/address", authority_json(entry)["address"]);
      text += "known    " + all[*known].name + "  " + node_name(entry.key) + "\n";
      continue;
    }
    all.push_back(entry);
    change.edit().append("/mix/directory/authorities", authority_json(entry));
    text += "added    " + entry.name + "  " + node_name(entry.key) + "\n";
  }
  text += set_threshold(arguments, change, all.size(), problem);
  if (!problem.empty()) return mix_problem(problem, exit_usage);
  return finish(arguments, change, text);
}

int remove_authority(const Arguments& arguments) {
  if (arguments.rest().size() != 3)
    return mix_problem("name the authority: villaged mix authority remove NAME", exit_usage);
  const auto& name = arguments.rest()[2];
  ConfigChange change{config_path(arguments)};
  if (!change.open()) return mix_problem(change.problem(), exit_usage);
  const auto& all = change.config().mix.directory.authorities;
  const auto index = place_of(all, name);
  if (!index) return mix_problem(nobody(all, "authority", name), exit_usage);
  if (all.size() == 1) return mix_problem("it is the last one; name another one first", exit_usage);
  change.edit().remove("/mix/directory/authorities/" + std::to_string(*index));
  std::string problem;
  const auto text = set_threshold(arguments, change, all.size() - 1, problem);
  if (!problem.empty()) return mix_problem(problem, exit_usage);
  return finish(arguments, change, "removed  " + name + "\n" + text);
}

int list_authorities(const Arguments& arguments) {
  const auto outcome = load_config(config_path(arguments), false);
  if (!outcome.config) {
    print_errors(outcome);
    return exit_usage;
  }
  const auto& directory = outcome.config->mix.directory;
  if (arguments.has("--json")) {
    auto list = Json::array();
    for (const auto& entry : directory.authorities) {
      list.push_back(authority_json(entry));
      list.back()["node"] = node_name(entry.key);
    }
    print(Json{{"authorities", std::move(list)},
               {"threshold", directory.threshold},
               {"mixnet", mixnet_options(outcome.config->mix)}}
              .dump(2) +
          "\n");
    return exit_fine;
  }
  if (directory.authorities.empty()) {
    print("no authorities; \"villaged mix authority add\" names them\n");
    return exit_fine;
  }
  print(mixnet_options(outcome.config->mix) + "\n");
  return exit_fine;
}

int run_authority(const Arguments& arguments) {
  return run_word(arguments, "authority", add_authorities, remove_authority, list_authorities);
}

// --- nodes that this authority lists

std::optional<std::size_t> place_of(const std::vector<crypto::Ed25519Public>& list,
                                    const crypto::Ed25519Public& key) {
  const auto found = std::find(list.begin(), list.end(), key);
  return found == list.end() ? std::nullopt : std::optional{static_cast<std::size_t>(found - list.begin())};
}

/// edit_nodes adds the keys to those that the authority lists, or takes them out.
int edit_nodes(const Arguments& arguments, bool add) {
  const auto& rest = arguments.rest();
  if (rest.size() < 3)
    return mix_problem(
        "give the nodes' keys, as their init printed them: villaged mix node " + rest[1] + " KEY ...",
        exit_usage);
  ConfigChange change{config_path(arguments)};
  if (!change.open()) return mix_problem(change.problem(), exit_usage);
  if (!change.config().mix.has(service::MixRole::authority))
    return mix_problem(change.path() + " has not the role \"authority\", so it lists no nodes", exit_usage);
  auto listed = change.config().mix.directory.admitted;
  std::string text;
  for (std::size_t i = 2; i < rest.size(); ++i) {
    const auto key = key_bytes(rest[i]);
    if (!key) return mix_problem("\"" + rest[i] + "\" is no key, which has 43 characters", exit_usage);
    const auto place = place_of(listed, *key);
    if (place.has_value() == add) {
      text += (add ? "known    " : "unknown  ") + node_name(*key) + "\n";
    } else if (add) {
      listed.push_back(*key);
      change.edit().append("/mix/directory/admitted", wire::base64url(*key));
      text += "added    " + node_name(*key) + "\n";
    } else {
      listed.erase(listed.begin() + static_cast<std::ptrdiff_t>(*place));
      change.edit().remove("/mix/directory/admitted/" + std::to_string(*place));
      text += "removed  " + node_name(*key) + "\n";
    }
  }
  return finish(arguments, change, text);
}

int list_nodes(const Arguments& arguments) {
  const auto outcome = load_config(config_path(arguments), false);
  if (!outcome.config) {
    print_errors(outcome);
    return exit_usage;
  }
  auto list = Json::array();
  std::vector<std::vector<std::string>> table{{"NODE", "KEY"}};
  for (const auto& key : outcome.config->mix.directory.admitted) {
    list.push_back({{"key", wire::base64url(key)}, {"node", node_name(key)}});
    table.push_back({node_name(key), wire::base64url(key)});
  }
  print(arguments.has("--json") ? Json{{"nodes", std::move(list)}}.dump(2) + "\n" : table_text(table));
  return exit_fine;
}

int run_node(const Arguments& arguments) {
  const Action add = [](const Arguments& given) { return edit_nodes(given, true); };
  const Action remove = [](const Arguments& given) { return edit_nodes(given, false); };
  return run_word(arguments, "node", add, remove, list_nodes);
}

// --- clients

std::string free_name(const ConfigChange& change, const std::string& wanted) {
  auto name = wanted;
  const auto taken = [&] {
    return change.find_peer(name) || place_of(change.config().mix.clients, name) || name == "direct" ||
           name == "block";
  };
  for (int i = 2; taken(); ++i) name = wanted + "-" + std::to_string(i);
  return name;
}

int add_client(const Arguments& arguments) {
  const auto key = arguments.rest().size() == 3 ? key_bytes(arguments.rest()[2]) : std::nullopt;
  if (!key || !crypto::x25519_public(*key))
    return mix_problem("give the client's key, 43 characters: villaged mix client add KEY --name NAME",
                       exit_usage);
  auto name = arguments.value_or("--name", "client");
  if (!is_label(name))
    return mix_problem("--name takes 1 to 63 characters of a-z, 0-9 and \"-\"", exit_usage);
  ConfigChange change{config_path(arguments)};
  if (!change.open()) return mix_problem(change.problem(), exit_usage);
  const auto& config = change.config();
  if (!config.mix.has(service::MixRole::gateway))
    return mix_problem(change.path() + " has not the role \"gateway\", so it serves no clients", exit_usage);
  if (const auto known = place_of(config.mix.clients, *key)) {
    print("known    " + config.mix.clients[*known].name + "  " + node_name(*key) + "\n");
    return exit_fine;
  }
  const auto text_key = wire::base64url(*key);
  if (const auto peer = change.find_peer(*key)) {
    name = config.htx.peers[*peer].name;
    if (!config.htx.peers[*peer].allow_inbound)
      change.edit().set("/htx/peers/" + std::to_string(*peer) + "/inbound", true);
  } else {
    name = free_name(change, name);
    change.edit().append("/htx/peers", Json{{"name", name}, {"key", text_key}, {"inbound", true}});
  }
  change.edit().append("/mix/clients", Json{{"name", name}, {"key", text_key}});
  return finish(arguments, change, "added    " + name + "  " + node_name(*key) + "\n");
}

int remove_client(const Arguments& arguments) {
  if (arguments.rest().size() != 3)
    return mix_problem("name the client: villaged mix client remove NAME", exit_usage);
  const auto& name = arguments.rest()[2];
  ConfigChange change{config_path(arguments)};
  if (!change.open()) return mix_problem(change.problem(), exit_usage);
  const auto& clients = change.config().mix.clients;
  const auto index = place_of(clients, name);
  if (!index) return mix_problem(nobody(clients, "client", name), exit_usage);
  const auto peer = change.find_peer(clients[*index].key);
  change.edit().remove("/mix/clients/" + std::to_string(*index));
  // Who came in as a client only comes in no more.
  const bool alone = peer && !change.config().htx.peers[*peer].address;
  if (alone) change.edit().remove("/htx/peers/" + std::to_string(*peer));
  return finish(arguments, change, "removed  " + name + "\n");
}

int list_clients(const Arguments& arguments) {
  const auto outcome = load_config(config_path(arguments), false);
  if (!outcome.config) {
    print_errors(outcome);
    return exit_usage;
  }
  const auto& clients = outcome.config->mix.clients;
  if (arguments.has("--json")) {
    auto list = Json::array();
    for (const auto& each : clients)
      list.push_back(
          {{"name", each.name}, {"key", wire::base64url(each.key)}, {"node", node_name(each.key)}});
    print(Json{{"clients", std::move(list)}}.dump(2) + "\n");
    return exit_fine;
  }
  std::vector<std::vector<std::string>> table{{"NAME", "NODE", "KEY"}};
  for (const auto& each : clients)
    table.push_back({each.name, node_name(each.key), wire::base64url(each.key)});
  print(clients.empty() ? "no clients; \"villaged mix client add KEY --name NAME\" lets one in\n"
                        : table_text(table));
  return exit_fine;
}

int run_client(const Arguments& arguments) {
  return run_word(arguments, "client", add_client, remove_client, list_clients);
}

}  // namespace

MixCommand mix_authority_command() {
  return {
      "authority",
      {"authority add NAME=KEY@HOST:PORT ... [--threshold N] [--no-reload] [--config FILE]",
       "authority list [--json] [--config FILE]", "authority remove NAME [--threshold N] [--config FILE]"},
      "authority edits who signs the directory, in the configuration in place; the threshold follows (more "
      "than two\n"
      "thirds, or --threshold). list prints\n"
      "what \"villaged init --role mix|gateway|client\" takes on other machines.\n",
      {"authority add b=KEY@192.0.2.2:9470 c=KEY@192.0.2.3:9470"},
      {"--threshold N", "--no-reload", "--config FILE", "--json"},
      run_authority};
}

MixCommand mix_node_command() {
  return {"node",
          {"node add KEY ... [--no-reload] [--config FILE]", "node list [--json] [--config FILE]",
           "node remove KEY ... [--no-reload] [--config FILE]"},
          "node edits which mixes and gateways this authority lists, in the configuration in place.\n",
          {"node add KEY KEY"},
          {"--no-reload", "--config FILE", "--json"},
          run_node};
}

MixCommand mix_client_command() {
  return {"client",
          {"client add KEY [--name NAME] [--no-reload] [--config FILE]",
           "client list [--json] [--config FILE]", "client remove NAME [--no-reload] [--config FILE]"},
          "client edits whom this gateway serves, in the configuration in place.\n",
          {"client add KEY --name anna"},
          {"--name NAME", "--no-reload", "--config FILE", "--json"},
          run_client};
}

}  // namespace village::control
