#include "control/config_change.hpp"

#include <algorithm>
#include <cstdio>

#include "control/config_table.hpp"
#include "control/files.hpp"
#include "control/json.hpp"
#include "control/socket_client.hpp"
#include "village/control/limits.hpp"

namespace village::control {
namespace {

template <class Match>
std::optional<std::size_t> find_if(const std::vector<service::TunnelPeer>& peers, Match match) {
  const auto found = std::find_if(peers.begin(), peers.end(), match);
  if (found == peers.end()) return std::nullopt;
  return static_cast<std::size_t>(found - peers.begin());
}

}  // namespace

void print_errors(const ConfigOutcome& outcome) {
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
}

bool ConfigChange::open() {
  const auto text = read_file(path_, limits::config_bytes_max, problem_);
  if (!text) return false;
  auto outcome = parse_config(*text, path_);
  edit_ = ConfigEdit::open(*text);
  if (!outcome.config || !edit_) {
    print_errors(outcome);
    problem_ = "correct these errors first; nothing was changed";
    return false;
  }
  config_ = *std::move(outcome.config);
  return true;
}

bool ConfigChange::save() {
  auto outcome = parse_config(edit_->text(), path_);
  if (!outcome.config) {
    print_errors(outcome);
    problem_ = "the change would make these errors; nothing was changed";
    return false;
  }
  config_ = *std::move(outcome.config);
  return replace_file(path_, edit_->text(), problem_);
}

std::optional<std::size_t> ConfigChange::find_peer(const crypto::Ed25519Public& key) const {
  return find_if(config_.htx.peers, [&key](const auto& peer) { return peer.key == key; });
}
std::optional<std::size_t> ConfigChange::find_peer(const std::string& name) const {
  return find_if(config_.htx.peers, [&name](const auto& peer) { return peer.name == name; });
}

int apply_change(const Arguments& arguments, const std::string& verb, const Config& config) {
  if (arguments.has("--no-reload")) return exit_fine;
  std::string problem;
  const auto reply =
      socket_request(config.control.socket_path, "POST", "/api/v1/reload", std::chrono::seconds{10}, problem);
  if (!reply) {
    print("villaged was not told (it may not be running): changes take effect at its start or with SIGHUP\n");
    return exit_fine;
  }
  if (reply->status != 200)
    return complain(verb, "the running node refused the configuration; its log says why", exit_failed);
  std::string keys;
  const auto answer = Json::parse(reply->body, nullptr, false);
  if (answer.is_object() && answer.contains("restart") && answer["restart"].is_array()) {
    for (const auto& key : answer["restart"])
      keys += (keys.empty() ? "" : ", ") + (key.is_string() ? key.get<std::string>() : key.dump());
  }
  print(keys.empty() ? "the running node has taken the change over\n"
                     : "restart the node: what it runs with differs in " + keys + "\n");
  return exit_fine;
}

}  // namespace village::control
