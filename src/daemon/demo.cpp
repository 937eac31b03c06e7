#include "daemon/demo.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "daemon/demo_mix.hpp"
#include "daemon/demo_nodes.hpp"
#include "daemon/demo_result.hpp"
#include "daemon/demo_web.hpp"
#include "daemon/process.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/random.hpp"

namespace village::daemon {
namespace {

constexpr int fine = 0, failed = 1, bad_input = 2;
constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t size_mib_default = 256, size_mib_min = 64, size_mib_max = 16'384;
constexpr std::uint64_t messages_default = 1'000, messages_min = 20, messages_max = 10'000;

struct DemoOptions {
  bool json = false;
  bool htx = true, mix = true;
  std::uint64_t bytes = size_mib_default * mib;
  std::uint64_t messages = messages_default;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Progress draws one line on standard error while something long runs, if that is a terminal.
class Progress {
 public:
  explicit Progress(std::uint64_t total) : total_{total}, shown_{::isatty(STDERR_FILENO) == 1} {}
  ~Progress() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }
  void at(std::uint64_t done) {
    const auto percent = done * 100 / total_;
    if (!shown_ || percent == percent_) return;
    percent_ = percent;
    std::fprintf(stderr, "\r[%-50.*s] %3d %%", static_cast<int>(percent / 2),
                 "##################################################", static_cast<int>(percent));
  }

 private:
  std::uint64_t total_, percent_ = ~std::uint64_t{0};
  bool shown_;
};

struct Fetched {
  std::string digest;
  std::uint64_t bytes = 0;
};

Result<Fetched> fetch_through(std::uint16_t proxy, const RandomFileServer& server, std::uint64_t bytes) {
  VG_TRY(socket, connect_loopback(proxy));
  VG_TRY_VOID(socks5_connect(socket, server.port()));
  crypto::HashStream stream{crypto::HashAlgorithm::sha256};
  Progress progress{bytes};
  std::uint64_t done = 0;
  const auto take = [&](ByteView piece) {
    stream.update(piece);
    done += piece.size();
    progress.at(done);
  };
  VG_TRY(reply, http_get(socket, "/random", take));
  if (reply.status != 200) return fail(Errc::refused, static_cast<std::uint64_t>(reply.status));
  return Fetched{to_hex(stream.finish().view()), reply.bytes};
}

/// metric_sum adds up every line of a metric in Prometheus text.
double metric_sum(std::string_view text, std::string_view name) {
  double sum = 0;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(name) || line.size() == name.size()) continue;
    if (line[name.size()] != ' ' && line[name.size()] != '{') continue;
    sum += std::strtod(std::string{line.substr(line.rfind(' ') + 1)}.c_str(), nullptr);
  }
  return sum;
}

std::size_t metric_families(std::string_view text) {
  std::size_t count = 0;
  for (auto at = text.find("# TYPE "); at != std::string_view::npos; at = text.find("# TYPE ", at + 1))
    ++count;
  return count;
}

/// session_facts tells of the sessions that a node's status lists; `carried` adds up their payload.
void session_facts(const DemoNode& node, DemoResult& result, std::uint64_t& carried) {
  const auto text = node.status();
  const auto status = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json{};
  if (!status.is_object()) return;
  for (const auto& session : status.value("sessions", nlohmann::json::array())) {
    if (session.value("state", "") == "idle") continue;
    const auto statistics = session.value("statistics", session);
    const auto in = statistics.value("data_bytes_in", std::uint64_t{0});
    const auto out = statistics.value("data_bytes_out", std::uint64_t{0});
    carried += in + out;
    result.facts.push_back(
        fmt::format("{}: session with {} ({}), outer {}, suite {}, core {}: {:.1f} MiB in, {:.1f} MiB out",
                    node.name, session.value("peer", "?"), session.value("state", "?"),
                    session.value("outer", "?"), session.value("suite", 0), session.value("core", 0),
                    static_cast<double>(in) / mib, static_cast<double>(out) / mib));
  }
}

/// check_metrics scrapes a node; the file must have passed through its sessions by its own count.
std::string check_metrics(const DemoNode& node, std::uint64_t bytes, DemoResult& result) {
  const auto text = node.metrics();
  if (!text) return fmt::format("{}: metrics: {}", node.name, describe(text.error()));
  const auto wire = metric_sum(*text, "villaged_htx_wire_bytes_total");
  result.facts.push_back(fmt::format("{}: {} metrics, {:.1f} MiB on the wire", node.name,
                                     metric_families(*text), wire / double{mib}));
  if (metric_families(*text) == 0) return node.name + ": no metrics";
  if (wire < static_cast<double>(bytes))
    return fmt::format("{}: its metrics count fewer bytes than the file has", node.name);
  return {};
}

std::string verify_htx(const DemoOptions& options, DemoNodes& nodes, DemoResult& result) {
  auto server = RandomFileServer::start(options.bytes, crypto::SystemRandom{}.u64());
  if (!server) return "web server: " + describe(server.error());
  const auto expected = (*server)->digest();
  const auto start = std::chrono::steady_clock::now();
  const auto fetched = fetch_through(nodes.proxy_port(), **server, options.bytes);
  result.seconds = seconds_since(start);
  if (!fetched) return fmt::format("download: {} {}", describe(fetched.error()), fetched.error().detail);
  result.bytes = fetched->bytes;
  result.items = 1;
  result.facts.push_back(fmt::format("{} MiB in {:.2f} s = {:.0f} MB/s", fetched->bytes / mib, result.seconds,
                                     static_cast<double>(fetched->bytes) / 1e6 / result.seconds));
  result.facts.push_back("sha256 " + fetched->digest);
  if (fetched->digest != expected) return "the digest differs from the server's " + expected;
  for (auto* node : {&nodes.entry(), &nodes.exit()}) {
    std::uint64_t carried = 0;
    session_facts(*node, result, carried);
    if (carried < options.bytes) return node->name + ": its sessions did not carry the file";
    if (auto problem = check_metrics(*node, options.bytes, result); !problem.empty()) return problem;
  }
  return {};
}

DemoResult demo_htx(const DemoOptions& options) {
  DemoResult result;
  result.transport = "htx";
  DemoNodes nodes;
  result.note = nodes.start();
  if (result.note.empty()) result.note = verify_htx(options, nodes, result);
  if (result.note.empty()) result.note = nodes.stop();
  result.verified = result.note.empty();
  return result;
}

std::string json_text(const std::vector<DemoResult>& results, bool verified) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const auto& result : results) {
    rows.push_back({{"transport", result.transport},
                    {"verified", result.verified},
                    {"bytes", result.bytes},
                    {"items", result.items},
                    {"seconds", result.seconds},
                    {"note", result.note}});
  }
  return nlohmann::ordered_json{{"verified", verified}, {"results", rows}}.dump();
}

void print_text(const std::vector<DemoResult>& results, bool verified) {
  for (const auto& result : results) {
    fmt::print("{:<6} {}\n", result.transport, result.verified ? "verified" : "FAILED: " + result.note);
    for (const auto& fact : result.facts) fmt::print("       {}\n", fact);
  }
  fmt::print("{}\n", verified ? "all verified" : "not verified");
}

int complain(std::string_view sentence) {
  fmt::print(stderr, "villaged demo: {} (try villaged demo --help)\n", sentence);
  return bad_input;
}

std::optional<std::uint64_t> number(const std::string& text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && value >= least && value <= most ? std::optional{value} : std::nullopt;
}

/// parse_only reads "htx,mix"; it returns what is wrong, or nothing.
std::optional<std::string> parse_only(std::string_view list, DemoOptions& options) {
  options.htx = options.mix = false;
  while (!list.empty()) {
    const auto word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(word.size() + 1, list.size()));
    if (word != "htx" && word != "mix")
      return fmt::format("there is no transport \"{}\"; built are: htx, mix", word);
    (word == "htx" ? options.htx : options.mix) = true;
  }
  return std::nullopt;
}

/// parse returns what is wrong, or nothing.
std::optional<std::string> parse(const std::vector<std::string>& args, DemoOptions& options) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool more = i + 1 < args.size();
    if (args[i] == "--json") {
      options.json = true;
    } else if (args[i] == "--only" && more) {
      if (auto problem = parse_only(args[++i], options)) return problem;
    } else if (args[i] == "--mib" && more) {
      const auto size = number(args[++i], size_mib_min, size_mib_max);
      if (!size) return fmt::format("--mib takes a number from {} to {}", size_mib_min, size_mib_max);
      options.bytes = *size * mib;
    } else if (args[i] == "--messages" && more) {
      const auto count = number(args[++i], messages_min, messages_max);
      if (!count) return fmt::format("--messages takes a number from {} to {}", messages_min, messages_max);
      options.messages = *count;
    } else {
      return fmt::format("unknown argument \"{}\"", args[i]);
    }
  }
  return std::nullopt;
}

int run(const std::vector<std::string>& args) {
  DemoOptions options;
  if (const auto problem = parse(args, options)) return complain(*problem);
  std::vector<DemoResult> results;
  if (options.htx) results.push_back(demo_htx(options));
  if (options.mix) results.push_back(demo_mix(options.messages));
  const bool verified =
      std::all_of(results.begin(), results.end(), [](const auto& each) { return each.verified; });
  if (options.json) {
    fmt::print("{}\n", json_text(results, verified));
  } else {
    print_text(results, verified);
  }
  return verified ? fine : failed;
}

}  // namespace

control::Verb demo_verb() {
  control::Verb verb;
  verb.name = "demo";
  verb.summary = "run nodes on loopback and move real data through them";
  verb.usage =
      "usage: villaged demo [--only htx,mix] [--mib N] [--messages N] [--json]\n"
      "\n"
      "Starts real daemons as child processes in a temporary folder, sends random data through each "
      "transport that is\n"
      "built (htx: SOCKS5 -> HTX -> a web server; mix: authorities, mixes, gateways and two clients, a "
      "mix killed on the\n"
      "way and a change of epoch; all on loopback), compares digests, and reads status and metrics of every\n"
      "node. Nothing is left behind. Exit status 0 only if everything was verified.\n"
      "\n"
      "  --only LIST  only these transports\n"
      "  --mib N      htx: size of the file, 64 to 16384; 256 if not given\n"
      "  --messages N mix: messages between two clients, 20 to 10000; 1000 if not given\n"
      "  --json       {\"verified\": ..., \"results\": [{\"transport\": ..., \"verified\": ..., \"bytes\": "
      "..., ...}]}\n"
      "\n"
      "example: villaged demo --only htx --json\n";
  verb.run = run;
  verb.options = {"--only htx,mix", "--mib N", "--messages N", "--json"};
  return verb;
}

}  // namespace village::daemon
