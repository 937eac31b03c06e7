#include "daemon/demo_nodes.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "daemon/demo_web.hpp"
#include "daemon/process.hpp"

namespace village::daemon {
namespace {

namespace fs = std::filesystem;

constexpr Duration verb_time_max = std::chrono::seconds{20};
constexpr Duration ready_time_max = std::chrono::seconds{30};
constexpr Duration stop_time_max = std::chrono::seconds{20};
constexpr Duration ready_poll = std::chrono::milliseconds{20};

/// Verbs are run one after another as separate processes, as a user would; the first failure sticks.
class Verbs {
 public:
  std::string run(const std::vector<std::string>& arguments) {
    if (!problem_.empty()) return {};
    const auto done = run_self(arguments, verb_time_max);
    if (!done) problem_ = fmt::format("villaged {}: {}", arguments.front(), describe(done.error()));
    if (done && done->status != 0) {
      problem_ =
          fmt::format("villaged {}: exit status {}: {}", arguments.front(), done->status, done->errors);
    }
    return done ? done->output : std::string{};
  }
  nlohmann::json run_json(const std::vector<std::string>& arguments) {
    auto value = nlohmann::json::parse(run(arguments), nullptr, false);
    if (problem_.empty() && !value.is_object())
      problem_ = fmt::format("villaged {}: no JSON", arguments.front());
    return value.is_object() ? value : nlohmann::json::object();
  }
  const std::string& problem() const { return problem_; }

 private:
  std::string problem_;
};

std::string read_text(const std::string& path) {
  std::ifstream file{path};
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

/// allow_private_targets does what a user would: takes the // from the line, and says true. The
/// demonstration's web server is on loopback.
std::string allow_private_targets(const std::string& path) {
  constexpr std::string_view line = "// \"allow_private\": false";
  auto text = read_text(path);
  const auto at = text.find(line);
  if (at == std::string::npos) return path + ": no line for allow_private";
  text.replace(at, line.size(), "\"allow_private\": true");
  std::ofstream{path} << text;
  return {};
}

/// json_object reads a reply; an empty object if it is none.
nlohmann::json json_object(const Result<std::string>& text) {
  auto value = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json{};
  return value.is_object() ? value : nlohmann::json::object();
}

/// listening_port finds the port of the first listener whose line begins with `service`.
std::optional<std::uint16_t> listening_port(const DemoNode& node, std::string_view service) {
  const auto status = json_object(node.status());
  for (const auto& line : status.value("listening", std::vector<std::string>{})) {
    if (!line.starts_with(service)) continue;
    const auto digits = line.substr(line.rfind(':') + 1);
    std::uint16_t port = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), port).ec == std::errc{}) return port;
  }
  return std::nullopt;
}

std::string last_lines(const std::string& path) {
  const auto text = read_text(path);
  return text.size() <= 600 ? text : text.substr(text.size() - 600);
}

}  // namespace

Result<std::string> DemoNode::status() const {
  VG_TRY(socket, connect_unix(folder + "/state/control.sock"));
  return http_text(socket, "/api/v1/status");
}

Result<std::string> DemoNode::metrics() const {
  VG_TRY(socket, connect_unix(folder + "/state/control.sock"));
  return http_text(socket, "/metrics");
}

DemoNodes::~DemoNodes() {
  entry_.process = ChildProcess{};
  exit_.process = ChildProcess{};
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

std::string DemoNodes::make_folder() {
  const char* root = std::getenv("TMPDIR");
  folder_ = fmt::format("{}/villaged-demo-XXXXXX", root != nullptr && *root != '\0' ? root : "/tmp");
  if (::mkdtemp(folder_.data()) == nullptr) {
    const auto problem = fmt::format("{}: {}", folder_, errno_text(static_cast<std::uint32_t>(errno)));
    folder_.clear();
    return problem;
  }
  exit_.name = "exit";
  entry_.name = "entry";
  for (auto* node : {&exit_, &entry_}) node->folder = folder_ + "/" + node->name;
  return {};
}

std::string DemoNodes::start() {
  if (auto problem = make_folder(); !problem.empty()) return problem;
  Verbs verbs;
  verbs.run({"init", "--dir", exit_.folder, "--name", "exit", "--role", "exit", "--listen", "127.0.0.1:0",
             "--control", "none"});
  const auto entry = verbs.run_json({"init", "--dir", entry_.folder, "--name", "entry", "--proxy",
                                     "127.0.0.1:0", "--control", "none", "--json"});
  verbs.run({"peer", "add", "--inbound", entry.value("key", ""), "--name", "entry", "--no-reload", "--config",
             exit_.config_path()});
  if (!verbs.problem().empty()) return verbs.problem();
  if (auto problem = allow_private_targets(exit_.config_path()); !problem.empty()) return problem;
  if (auto problem = launch(exit_); !problem.empty()) return problem;
  const auto port = listening_port(exit_, "htx");
  if (!port) return "exit: its status names no htx listener";
  const auto invitation = verbs.run_json(
      {"peer", "invite", fmt::format("127.0.0.1:{}", *port), "--json", "--config", exit_.config_path()});
  verbs.run({"peer", "add", invitation.value("uri", ""), "--no-reload", "--config", entry_.config_path()});
  if (!verbs.problem().empty()) return verbs.problem();
  if (auto problem = launch(entry_); !problem.empty()) return problem;
  const auto proxy = listening_port(entry_, "proxy");
  if (!proxy) return "entry: its status names no proxy listener";
  proxy_port_ = *proxy;
  return {};
}

std::string DemoNodes::launch(DemoNode& node) {
  // A socket of some service manager is not meant for these two.
  auto process =
      ChildProcess::start({{"run", "--config", node.config_path()}, {"NOTIFY_SOCKET="}, node.log_path()});
  if (!process) return fmt::format("{}: {}", node.name, describe(process.error()));
  node.process = *std::move(process);
  return await_ready(node);
}

std::string DemoNodes::await_ready(DemoNode& node) {
  const auto deadline = std::chrono::steady_clock::now() + ready_time_max;
  while (std::chrono::steady_clock::now() < deadline) {
    if (const auto status = node.process.wait(ready_poll)) {
      return fmt::format("{} ended with status {}: {}", node.name, *status, last_lines(node.log_path()));
    }
    if (json_object(node.status()).value("state", "") == "ready") return {};
  }
  return fmt::format("{} did not get ready: {}", node.name, last_lines(node.log_path()));
}

std::string DemoNodes::stop() {
  for (auto* node : {&entry_, &exit_}) {
    node->process.signal(SIGTERM);
    const auto status = node->process.wait(stop_time_max);
    if (!status) return node->name + " did not stop";
    if (*status != 0) return fmt::format("{} stopped with status {}", node->name, *status);
  }
  return {};
}

}  // namespace village::daemon
