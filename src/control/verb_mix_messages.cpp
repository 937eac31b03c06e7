// villaged mix ping | send | recv | keys.
#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "control/files.hpp"
#include "control/identity.hpp"
#include "control/json.hpp"
#include "control/mix_commands.hpp"
#include "control/socket_client.hpp"
#include "village/control/config.hpp"
#include "village/control/limits.hpp"
#include "village/service/mix_key_store.hpp"
#include "village/service/mix_status.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

int trouble(const char* word, const std::string& message, int status) {
  return mix_problem(word + message, status);
}

constexpr std::chrono::seconds answer_time{10};
constexpr std::chrono::seconds poll_time{1};

std::optional<std::string> socket_of(const Arguments& arguments, const char* word) {
  if (auto given = arguments.value("--socket")) return given;
  const auto outcome = load_config(config_path(arguments), false);
  if (outcome.config) return outcome.config->control.socket_path;
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  std::fprintf(stderr, "villaged mix %s: name the node: --config FILE or --socket PATH\n", word);
  return std::nullopt;
}

/// Asked is an answer, or what to tell the user and the exit status.
struct Asked {
  Json body;
  std::string problem;
};

Asked ask(const std::string& socket, const char* method, const std::string& target, std::chrono::seconds time,
          std::string_view message = {}) {
  Asked asked;
  const auto reply = socket_request(socket, method, target, time, asked.problem, message);
  if (!reply) return asked;
  asked.body = Json::parse(reply->body, nullptr, false);
  if (reply->status >= 300 || !asked.body.is_object())
    asked.problem = asked.body.is_object() ? asked.body.value("message", "refused")
                                           : "status " + std::to_string(reply->status);
  return asked;
}

std::optional<std::uint64_t> number(const Arguments& arguments, const char* option, std::uint64_t fallback,
                                    std::uint64_t most) {
  const auto text = arguments.value(option);
  if (!text) return fallback;
  if (text->empty() || text->size() > 9 || text->find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const auto value = std::stoull(*text);
  return value <= most ? std::optional{value} : std::nullopt;
}

std::optional<std::string> read_message(const std::string& path, std::string& problem) {
  if (path != "-") return read_file(path, limits::http_message_bytes_max, problem);
  std::string text;
  std::array<char, 16'384> block;
  while (const auto count = std::fread(block.data(), 1, block.size(), stdin)) {
    text.append(block.data(), count);
    if (text.size() > limits::http_message_bytes_max) {
      problem = "a message has at most 1 MiB";
      return std::nullopt;
    }
  }
  return text;
}

// --- send

int wait_for(const std::string& socket, const std::string& id, std::uint64_t seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{seconds};
  for (;;) {
    const auto asked = ask(socket, "GET", "/api/v1/mix/sent?id=" + id, answer_time);
    if (!asked.problem.empty()) return trouble("send: ", asked.problem, exit_failed);
    const auto state = asked.body.value("state", "");
    if (state == "delivered") return exit_fine;
    if (state == "failed") return trouble("send: ", "not delivered in time", exit_failed);
    if (std::chrono::steady_clock::now() >= end)
      return trouble("send: ", "still under way; nobody has confirmed it", exit_failed);
    std::this_thread::sleep_for(poll_time);
  }
}

int send(const Arguments& arguments) {
  const auto reply_to = arguments.value("--reply-to");
  const std::vector<std::string> rest{arguments.rest().begin() + 1, arguments.rest().end()};
  const std::size_t addresses = reply_to ? 0 : 1;
  if (rest.size() < addresses || rest.size() > addresses + 1)
    return trouble("send: ", "expected ADDRESS [FILE], or --reply-to ID [FILE]", exit_usage);
  const auto blocks = number(arguments, "--reply-blocks", 0, 32);
  const auto within = number(arguments, "--within", 3'600, 86'400);
  const auto wait = number(arguments, "--wait", 0, 86'400);
  if (!blocks || !within || !wait)
    return trouble("send: ", "--reply-blocks takes 0 to 32, --within and --wait seconds up to 86400",
                   exit_usage);
  if (!reply_to && !service::MixAddress::parse(rest[0]))
    return trouble("send: ", rest[0] + " is no address; the recipient's \"villaged mix keys\" prints one",
                   exit_usage);
  const auto socket = socket_of(arguments, "send");
  if (!socket) return exit_usage;
  std::string problem;
  const auto message = read_message(rest.size() > addresses ? rest[addresses] : "-", problem);
  if (!message) return trouble("send: ", problem, exit_usage);
  const auto target = fmt::format("/api/v1/mix/send?{}&reply_blocks={}&within_s={}",
                                  reply_to ? "reply_to=" + *reply_to : "to=" + rest[0], *blocks, *within);
  const auto asked = ask(*socket, "POST", target, answer_time, *message);
  if (!asked.problem.empty()) return trouble("send: ", asked.problem, exit_failed);
  const auto id = asked.body.value("id", "");
  print(arguments.has("--json") ? asked.body.dump() + "\n" : id + "\n");
  return *wait == 0 ? exit_fine : wait_for(*socket, id, *wait);
}

// --- recv

std::string text_head(const Json& message) {
  const auto& from = message.at("from");
  return fmt::format(
      "id {}  from {}{}  reply blocks {}\n", message.value("id", ""),
      from.is_string() ? from.get<std::string>() : "(reply)",
      message.at("reply_to").is_string() ? "  in reply to " + message.at("reply_to").get<std::string>() : "",
      message.value("reply_blocks", 0));
}

int show(const Arguments& arguments, const Json& message) {
  const auto bytes = wire::from_base64url(message.value("message", ""), limits::http_message_bytes_max);
  if (!bytes) return trouble("recv: ", "the node's answer cannot be read", exit_failed);
  if (arguments.has("--json")) {
    print(message.dump() + "\n");
    return exit_fine;
  }
  const auto folder = arguments.value("--folder");
  if (!folder) {
    std::fputs(text_head(message).c_str(), stderr);
    print(as_text(*bytes));
    return exit_fine;
  }
  const auto path = *folder + "/" + message.value("id", "") + ".message";
  std::string problem;
  if (!write_new_file(path, as_text(*bytes), 0600, problem)) return trouble("recv: ", problem, exit_failed);
  print(path + "  " + text_head(message));
  return exit_fine;
}

int recv(const Arguments& arguments) {
  const auto wait = number(arguments, "--wait", 0, static_cast<std::uint64_t>(limits::mix_wait_max.count()));
  if (!wait || arguments.rest().size() > 1)
    return trouble("recv: ", "--wait takes seconds up to 60", exit_usage);
  const auto socket = socket_of(arguments, "recv");
  if (!socket) return exit_usage;
  const auto time = std::chrono::seconds{*wait} + answer_time;
  auto asked = ask(*socket, "GET", fmt::format("/api/v1/mix/recv?wait_s={}", *wait), time);
  if (!asked.problem.empty()) return trouble("recv: ", asked.problem, exit_failed);
  const auto messages = asked.body.value("messages", Json::array());
  std::uint64_t upto = 0;
  for (const auto& message : messages) {
    if (const auto status = show(arguments, message); status != exit_fine) return status;
    upto = message.value("sequence", std::uint64_t{0});
  }
  if (messages.empty()) return trouble("recv: ", "there is no message", exit_failed);
  // Only what was written out is given up by the node.
  if (std::fflush(stdout) != 0) return exit_failed;
  asked = ask(*socket, "GET", fmt::format("/api/v1/mix/recv?after={}", upto), answer_time);
  return asked.problem.empty() ? exit_fine : trouble("recv: ", asked.problem, exit_failed);
}

// --- ping

int ping(const Arguments& arguments) {
  const auto count = number(arguments, "--count", 1, 1'000);
  const auto within = number(arguments, "--within", 10, 60);
  if (!count || !within || arguments.rest().size() > 1)
    return trouble("ping: ", "--count takes up to 1000, --within seconds up to 60", exit_usage);
  const auto socket = socket_of(arguments, "ping");
  if (!socket) return exit_usage;
  std::uint64_t back = 0;
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto asked = ask(*socket, "POST", fmt::format("/api/v1/mix/ping?within_s={}", *within),
                           std::chrono::seconds{*within} + answer_time);
    if (!asked.problem.empty()) {
      std::fprintf(stderr, "villaged mix ping: %s\n", asked.problem.c_str());
      continue;
    }
    ++back;
    print(arguments.has("--json")
              ? asked.body.dump() + "\n"
              : fmt::format("through the mixnet and back: {:.1f} ms\n", asked.body.value("ms", 0.0)));
  }
  return back == *count ? exit_fine : exit_failed;
}

// --- keys

int keys(const Arguments& arguments) {
  if (arguments.rest().size() > 1) return trouble("keys: ", "nothing but options is expected", exit_usage);
  const auto outcome = load_config(config_path(arguments));
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  if (!outcome.config) return exit_usage;
  const auto& config = *outcome.config;
  const auto& key = config.htx.identity->public_key;
  Json out{{"node", node_name(key)},
           {"key", wire::base64url(key)},
           {"address", nullptr},
           {"epochs", Json::array()}};
  for (const auto& peer : config.htx.peers) {
    if (config.mix.has(service::MixRole::client) && peer.name == config.mix.gateway)
      out["address"] = service::MixAddress{key, wire::NodeId::of(peer.key)}.text();
  }
  struct stat there {};
  if (config.mix.moves_packets() && ::stat(config.mix.keys_path.c_str(), &there) == 0) {
    const auto store = service::MixKeyStore::make_folder(config.mix.keys_path);
    std::vector<std::string> damaged;
    if (store) {
      for (auto& each : store->load(damaged)) {
        const auto pair = crypto::X25519KeyPair::from_private(std::move(each.key));
        out["epochs"].push_back({{"epoch", each.epoch}, {"key", wire::base64url(pair.public_key)}});
      }
    }
    for (const auto& path : damaged)
      std::fprintf(stderr, "villaged mix keys: %s cannot be used\n", path.c_str());
  }
  if (arguments.has("--json")) {
    print(out.dump(2) + "\n");
    return exit_fine;
  }
  print("node     " + node_name(key) + "\nkey      " + wire::base64url(key) + "\n");
  if (out["address"].is_string()) print("address  " + out["address"].get<std::string>() + "\n");
  for (const auto& each : out["epochs"])
    print(fmt::format("epoch    {}  {}\n", each.value("epoch", std::uint64_t{0}), each.value("key", "")));
  return exit_fine;
}

}  // namespace

MixCommand mix_send_command() {
  return {
      "send",
      {"send ADDRESS [FILE] [--reply-blocks N] [--within S] [--wait S] [--json]",
       "send --reply-to ID [FILE]"},
      "send sends FILE (standard input if not given), at most 1 MiB, and prints its id. --reply-blocks gives "
      "the "
      "recipient\nthe means to answer without knowing where we are; --wait waits until it is confirmed.\n",
      {"send KEY@bn1:... notes.txt --wait 60"},
      {"--reply-to ID", "--reply-blocks N", "--within S", "--wait S", "--json", "--config FILE",
       "--socket PATH"},
      send};
}

MixCommand mix_recv_command() {
  return {"recv",
          {"recv [--wait S] [--folder DIR] [--json]"},
          "recv takes the messages that came, to standard output or as files.\n",
          {"recv --wait 60 --folder ~/mail"},
          {"--wait S", "--folder DIR", "--json", "--config FILE", "--socket PATH"},
          recv};
}

MixCommand mix_ping_command() {
  return {"ping",
          {"ping [--count N] [--within S] [--json]"},
          "ping sends a message through the mixnet to this node itself and prints how long it took.\n",
          {"ping --count 3"},
          {"--count N", "--within S", "--json", "--config FILE", "--socket PATH"},
          ping};
}

MixCommand mix_keys_command() {
  return {"keys",
          {"keys [--json]"},
          "keys prints the address that others send to, and the public mixing keys by epoch.\n"
          "ping, send and recv ask the running node: that of the configuration, or --socket PATH.\n",
          {"keys --config /etc/villaged/villaged.json"},
          {"--json", "--config FILE"},
          keys};
}

}  // namespace village::control
