#include "daemon/demo_mix_nodes.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "daemon/demo_web.hpp"
#include "daemon/process.hpp"

namespace village::daemon {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Duration verb_time_max = std::chrono::seconds{30};
constexpr Duration ready_time_max = std::chrono::seconds{90};
constexpr Duration stop_time_max = std::chrono::seconds{30};
constexpr auto poll = std::chrono::milliseconds{100};
constexpr std::size_t authorities = 3, mixes = 9, gateways = 2, clients = 2;

std::string last_lines(const std::string& path) {
  std::ifstream file{path};
  std::ostringstream text;
  text << file.rdbuf();
  const auto all = std::move(text).str();
  return all.size() <= 600 ? all : all.substr(all.size() - 600);
}

json status_of(const DemoNode& node) {
  const auto text = node.status();
  auto value = text ? json::parse(*text, nullptr, false) : json{};
  return value.is_object() ? value : json::object();
}

std::string loopback(std::uint16_t port) { return fmt::format("127.0.0.1:{}", port); }

json peer_entry(const DemoMixNode& peer, bool dials) {
  json entry{{"name", peer.name}, {"key", peer.key}, {"outer", "none"}};
  if (dials) entry["address"] = loopback(peer.port);
  if (!dials) entry["inbound"] = true;
  return entry;
}

}  // namespace

DemoMixNodes::~DemoMixNodes() {
  for (auto& node : nodes_) node.process = ChildProcess{};
  std::error_code ignored;
  if (!folder_.empty() && std::getenv("VILLAGED_DEMO_KEEP") == nullptr) fs::remove_all(folder_, ignored);
}

std::vector<DemoMixNode*> DemoMixNodes::of(const std::string& role) {
  std::vector<DemoMixNode*> found;
  for (auto& node : nodes_) {
    if (node.role == role) found.push_back(&node);
  }
  return found;
}

json DemoMixNodes::status(const DemoMixNode& node) const {
  return status_of(node).value("mix", json::object());
}

std::string DemoMixNodes::make_folder() {
  const char* root = std::getenv("TMPDIR");
  folder_ = fmt::format("{}/villaged-mix-XXXXXX", root != nullptr && *root != '\0' ? root : "/tmp");
  if (::mkdtemp(folder_.data()) == nullptr) {
    const auto problem = fmt::format("{}: {}", folder_, errno_text(static_cast<std::uint32_t>(errno)));
    folder_.clear();
    return problem;
  }
  return {};
}

std::string DemoMixNodes::make_nodes() {
  const auto add = [this](const std::string& role, std::size_t count) {
    for (std::size_t i = 1; i <= count; ++i) {
      auto& node = nodes_.emplace_back();
      node.role = role;
      node.name = role + std::to_string(i);
      node.folder = folder_ + "/" + node.name;
    }
  };
  add("authority", authorities);
  add("mix", mixes);
  add("gateway", gateways);
  add("client", clients);
  for (auto& node : nodes_) {
    std::error_code problem;
    fs::create_directories(node.folder, problem);
    const auto made = run_self({"keygen", "--out", node.folder + "/identity.key", "--json"}, verb_time_max);
    const auto value = made ? json::parse(made->output, nullptr, false) : json{};
    const auto port = free_port();
    if (!value.is_object() || !port) return node.name + ": cannot make its key or find a port";
    node.key = value.value("key", "");
    node.node = value.value("node", "");
    node.port = *port;
  }
  const auto gates = of("gateway"), users = of("client");
  for (std::size_t i = 0; i < users.size(); ++i) users[i]->gateway = gates[i % gates.size()];
  return {};
}

std::string DemoMixNodes::write_config(const DemoMixNode& node) {
  json config{{"node", {{"name", node.name}, {"identity", "identity.key"}, {"state_dir", "state"}}},
              {"net", {{"cores", node.role == "gateway" || node.name == "mix1" ? 2 : 1}}},
              {"control", {{"listen", nullptr}}}};
  auto& mix = config["mix"];
  mix = {{"roles", {node.role}},
         {"epoch", {{"length", "30s"}, {"overlap", "10s"}}},
         {"operator", node.name},
         {"delay", {{"mean", "20ms"}, {"max", "2s"}}},
         {"cover", {{"loop_mean", "500ms"}, {"drop_mean", "500ms"}, {"client_mean", "4ms"}}},
         {"rate", {{"per_client_pps", 5'000}}},
         {"directory", {{"threshold", 2}, {"distinct_networks", false}, {"authorities", json::array()}}}};
  for (const auto* authority : of("authority")) {
    mix["directory"]["authorities"].push_back(
        {{"name", authority->name}, {"key", authority->key}, {"address", loopback(authority->port)}});
  }
  if (node.role == "authority") {
    mix["directory"]["listen"] = loopback(node.port);
    for (const auto* role : {"mix", "gateway"}) {
      for (const auto* member : of(role)) mix["directory"]["admitted"].push_back(member->key);
    }
  }
  if (node.role == "mix" || node.role == "gateway")
    config["htx"]["listen"] = {{{"address", loopback(node.port)}, {"outer", "none"}}};
  if (node.role == "client") {
    config["htx"]["peers"] = {peer_entry(*node.gateway, true)};
    mix["gateway"] = node.gateway->name;
  }
  if (node.role == "gateway") {
    for (const auto* client : of("client")) {
      if (client->gateway != &node) continue;
      config["htx"]["peers"].push_back(peer_entry(*client, false));
      mix["clients"].push_back({{"name", client->name}, {"key", client->key}});
    }
  }
  std::ofstream file{node.config_path()};
  file << config.dump(2) << "\n";
  return file.good() ? std::string{} : node.config_path() + ": cannot be written";
}

std::string DemoMixNodes::launch(DemoMixNode& node) {
  auto process =
      ChildProcess::start({{"run", "--config", node.config_path()}, {"NOTIFY_SOCKET="}, node.log_path()});
  if (!process) return fmt::format("{}: {}", node.name, describe(process.error()));
  node.process = *std::move(process);
  return {};
}

std::string DemoMixNodes::await(const std::string& what, const DemoMixNode& node,
                                bool (*ready)(const json&)) {
  const auto deadline = std::chrono::steady_clock::now() + ready_time_max;
  while (std::chrono::steady_clock::now() < deadline) {
    if (ready(status_of(node))) return {};
    if (const auto ended = const_cast<DemoMixNode&>(node).process.wait(poll))
      return fmt::format("{} ended with status {}: {}", node.name, *ended, last_lines(node.log_path()));
  }
  return fmt::format("{}: {}: {} {}", node.name, what, status_of(node).value("mix", json::object()).dump(),
                     last_lines(node.log_path()));
}

std::string DemoMixNodes::start() {
  if (auto problem = make_folder(); !problem.empty()) return problem;
  if (auto problem = make_nodes(); !problem.empty()) return problem;
  for (auto& node : nodes_) {
    if (auto problem = write_config(node); !problem.empty()) return problem;
    if (auto problem = launch(node); !problem.empty()) return problem;
  }
  for (const auto& node : nodes_) {
    auto problem = await("did not get ready", node,
                         [](const json& status) { return status.value("state", "") == "ready"; });
    if (!problem.empty()) return problem;
  }
  for (const auto& node : nodes_) {
    if (node.role == "authority") continue;
    auto problem = await("has no directory of all nodes", node, [](const json& status) {
      const auto mix = status.value("mix", json::object());
      return mix.value("directory_valid", false) && mix.value("nodes", 0U) == mixes + gateways;
    });
    if (!problem.empty()) return problem;
  }
  for (const auto* node : of("client")) {
    auto problem = await("has no session with its gateway", *node, [](const json& status) {
      return status.value("mix", json::object()).value("client", json::object()).value("connected", false);
    });
    if (!problem.empty()) return problem;
  }
  return {};
}

void DemoMixNodes::kill(DemoMixNode& node) {
  node.process.signal(SIGKILL);
  (void)node.process.wait(stop_time_max);
  node.role = "killed";
}

std::string DemoMixNodes::stop() {
  for (auto& node : nodes_) {
    if (node.role != "killed") node.process.signal(SIGTERM);
  }
  for (auto& node : nodes_) {
    if (node.role == "killed") continue;
    const auto status = node.process.wait(stop_time_max);
    if (!status) return node.name + " did not stop";
    if (*status != 0)
      return fmt::format("{} stopped with status {}: {}", node.name, *status, last_lines(node.log_path()));
  }
  return {};
}

}  // namespace village::daemon
