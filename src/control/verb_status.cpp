// villaged status: what a running node does.
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "control/arguments.hpp"
#include "control/socket_client.hpp"
#include "control/status_text.hpp"
#include "control/verbs.hpp"

namespace village::control {
namespace {

constexpr std::chrono::seconds answer_time{5};
constexpr std::chrono::seconds redraw_interval{1};

/// socket_of finds the socket: --socket, or the one that the configuration names.
std::optional<std::string> socket_of(const Arguments& arguments) {
  if (auto given = arguments.value("--socket")) return given;
  const auto outcome = load_config(config_path(arguments), false);
  if (outcome.config) return outcome.config->control.socket_path;
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  std::fprintf(stderr, "villaged status: name the node: --config FILE or --socket PATH\n");
  return std::nullopt;
}

/// ask gives the status of the node; nothing after saying why.
std::optional<Json> ask(const std::string& socket) {
  std::string problem;
  const auto reply = socket_request(socket, "GET", "/api/v1/status", answer_time, problem);
  if (!reply) {
    complain("status", problem, exit_failed);
    return std::nullopt;
  }
  auto status = Json::parse(reply->body, nullptr, false);
  if (reply->status != 200 || !status.is_object()) {
    complain("status", "villaged answered with status " + std::to_string(reply->status), exit_failed);
    return std::nullopt;
  }
  return status;
}

/// watch redraws until interrupted or until the node is gone.
int watch(const std::string& socket, bool json) {
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  std::optional<Json> before;
  auto before_at = std::chrono::steady_clock::now();
  for (;;) {
    auto status = ask(socket);
    if (!status) return exit_failed;
    const auto now = std::chrono::steady_clock::now();
    if (json) {
      print(status->dump() + "\n");
    } else {
      const auto text = status_text(*status, before ? &*before : nullptr, now - before_at);
      print((terminal ? "\x1b[H\x1b[2J" : "") + text + (terminal ? "" : "\n"));
    }
    if (std::fflush(stdout) != 0) return exit_fine;  // nobody reads any more
    before = std::move(status);
    before_at = now;
    std::this_thread::sleep_for(redraw_interval);
  }
}

int run(const std::vector<std::string>& args) {
  const Arguments arguments{args, status_verb().options};
  if (!arguments.problem().empty()) return complain("status", arguments.problem(), exit_usage);
  if (!arguments.rest().empty())
    return complain("status", "unexpected \"" + arguments.rest().front() + "\"", exit_usage);
  const auto socket = socket_of(arguments);
  if (!socket) return exit_usage;
  if (arguments.has("--watch")) return watch(*socket, arguments.has("--json"));
  const auto status = ask(*socket);
  if (!status) return exit_failed;
  print(arguments.has("--json") ? status->dump(2) + "\n" : status_text(*status, nullptr, {}));
  return exit_fine;
}

}  // namespace

Verb status_verb() {
  return {"status",
          "show what a running node does",
          "usage: villaged status [--watch] [--json] [--config FILE | --socket PATH]\n"
          "\n"
          "Asks the running node over its Unix socket: where it listens, sessions with peers (state, "
          "streams, round trip,\n"
          "bytes, age of the key, last error), proxy connections, last errors. --watch redraws every second "
          "and shows\n"
          "rates; with --json it prints one line a second.\n"
          "Without --config: ./villaged.json, ~/.villaged/villaged.json, /etc/villaged/villaged.json.\n"
          "\n"
          "example: villaged status --watch --config /etc/villaged/villaged.json\n",
          run,
          {},
          {"--watch", "--json", "--config FILE", "--socket PATH"}};
}

}  // namespace village::control
