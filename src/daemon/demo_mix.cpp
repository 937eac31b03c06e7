#include "daemon/demo_mix.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "daemon/demo_mix_ledger.hpp"
#include "daemon/demo_mix_nodes.hpp"
#include "daemon/demo_web.hpp"
#include "daemon/process.hpp"
#include "village/base/random.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/random.hpp"
#include "village/wire/base64.hpp"

namespace village::daemon {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t mib = 1 << 20;
constexpr std::size_t reply_every = 12;  // a message of so many asks for a reply
constexpr auto traffic_time_max = std::chrono::seconds{300};
constexpr auto pause_time = std::chrono::milliseconds{100};

std::string digest(ByteView bytes) {
  crypto::HashStream stream{crypto::HashAlgorithm::sha256};
  stream.update(bytes);
  return to_hex(stream.finish().view());
}

/// size_of gives the n-th of `all` messages its size: two of 1 MiB among a thousand, some large, most small.
/// No two small ones are alike by chance: but for one of 1 byte they have 24 bytes or more.
std::size_t size_of(std::size_t n, std::size_t all, bool small, RandomSource& random) {
  if (n == 8) return 1;
  if (!small && all >= 500 && n < 2) return mib;
  if (!small && n % 100 == 7) return 64 * 1024;
  if (!small && n % 25 == 3) return 8 * 1024;
  return 24 + static_cast<std::size_t>(std::exp(random.unit() * std::log(small ? 1'000.0 : 2'000.0)));
}

/// call asks a node's control interface; an empty object, and a complaint, if it refuses.
json call(const DemoNode& node, const std::string& method, const std::string& path, ByteView body,
          std::string& problem) {
  const auto socket = connect_unix(node.folder + "/state/control.sock");
  const auto answer = socket ? http_call(*socket, method, path, body) : Result<HttpAnswer>{socket.error()};
  if (!answer) {
    problem = fmt::format("{}: {} {}: {}", node.name, method, path, describe(answer.error()));
    return json::object();
  }
  auto value = json::parse(answer->body, nullptr, false);
  if (answer->status >= 300 || !value.is_object()) {
    problem = fmt::format("{}: {} {}: {} {}", node.name, method, path, answer->status, answer->body);
    return json::object();
  }
  return value;
}

/// says_later tells a refusal that time cures: too much under way, or, on a machine that has much to do, no
/// directory of this epoch yet.
bool says_later(const std::string& problem) {
  return problem.find(": 429 ") != std::string::npos || problem.find(": 503 ") != std::string::npos;
}

/// Traffic sends and receives for both clients until all is there:
///
///   epoch e      messages of all sizes, until all have arrived
///   epoch e + 1  a mix is killed at once; small messages, many of which meet it until the epoch ends
///   epoch e + 2  the directory no longer has it: the rest, of all sizes
///
/// What a client's node gives up (a part went six times without an answer) is sent again, as a user would.
class Traffic {
 public:
  Traffic(DemoMixNodes& nodes, std::size_t messages)
      : nodes_{nodes},
        clients_{nodes.of("client")},
        messages_{messages},
        until_{Clock::now() + traffic_time_max} {}

  /// run returns what went wrong; empty = all verified.
  std::string run(DemoResult& result) {
    first_epoch_ = epoch();
    std::vector<std::thread> others;
    for (auto* client : clients_) others.emplace_back([this, client] { receive(*client); });
    others.emplace_back([this] { look_after(); });
    send_all();
    await_all();
    stop_ = true;
    for (auto& other : others) other.join();
    result.bytes = ledger_.bytes();
    result.items = ledger_.expected();
    if (auto problem = ledger_.verdict(); !problem.empty()) return problem;
    return figures(result);
  }

 private:
  std::uint64_t epoch() const { return nodes_.status(*clients_[0]).value("epoch", std::uint64_t{0}); }
  bool over() const { return Clock::now() > until_ || !ledger_.problem().empty(); }
  void await_all() {
    while (!over() && (ledger_.missing() != 0 || !ledger_.under_way().empty()))
      std::this_thread::sleep_for(pause_time);
  }
  void await_epoch() {
    for (const auto before = epoch(); !over();) {
      last_epoch_ = epoch();
      if (last_epoch_ > before) return;
      std::this_thread::sleep_for(pause_time);
    }
  }

  void send_all() {
    SeededRandom random{crypto::SystemRandom{}.u64()};
    const auto kill_at = messages_ / 2, rest_at = messages_ * 7 / 10;
    for (std::size_t n = 0; n < messages_ && !over(); ++n) {
      if (n == kill_at) {
        await_all();
        await_epoch();
        kill_one(random);
      }
      if (n == rest_at) await_epoch();
      send(n, n >= kill_at && n < rest_at, random);
    }
  }

  void kill_one(RandomSource& random) {
    const auto mixes = nodes_.of("mix");
    auto* victim = mixes[random.below(mixes.size())];
    victim_ = victim->name;
    nodes_.kill(*victim);
  }

  void send(std::size_t n, bool lossy, SeededRandom& random) {
    DemoMessage what;
    what.from = n % clients_.size();
    what.to = clients_[(n + 1) % clients_.size()]->address();
    what.message.resize(size_of(n, messages_, lossy, random));
    random.fill(what.message);
    what.sum = digest(what.message);
    // A reply block is good for one packet, which nobody can send again: none while a mix is dead.
    if (n % reply_every == 5 && !lossy) what.blocks = 1;
    give(std::move(what), false);
  }

  void give(DemoMessage what, bool again) {
    const auto path =
        fmt::format("/api/v1/mix/send?to={}&within_s=300&reply_blocks={}", what.to, what.blocks);
    for (;;) {
      std::string problem;
      const auto answer = call(*clients_[what.from], "POST", path, what.message, problem);
      if (problem.empty()) return ledger_.sent(answer.value("id", ""), std::move(what), again);
      if (over() || !says_later(problem)) return ledger_.complain(problem);
      std::this_thread::sleep_for(pause_time);
    }
  }

  // Asks what became of what is under way, and sends again what was given up.
  void look_after() {
    while (!stop_) {
      std::this_thread::sleep_for(pause_time);
      for (const auto& id : ledger_.under_way()) look_after(id);
    }
  }

  void look_after(const std::string& id) {
    std::string problem;
    const auto answer = call(*clients_[ledger_.sender(id)], "GET", "/api/v1/mix/sent?id=" + id, {}, problem);
    if (!problem.empty()) return ledger_.complain(problem);
    const auto state = answer.value("state", "");
    if (state == "under_way") return;
    auto what = ledger_.settle(id);
    if (state == "delivered" || ledger_.has(what.sum)) return;
    if (what.to.empty()) {
      ++replies_lost_;
      ledger_.forgive(what.sum);
    } else {
      give(std::move(what), true);
    }
  }

  void receive(const DemoMixNode& client) {
    for (std::uint64_t after = 0; !stop_;) {
      std::string problem;
      const auto answer =
          call(client, "GET", fmt::format("/api/v1/mix/recv?after={}&wait_s=1", after), {}, problem);
      if (!problem.empty()) return ledger_.complain(problem);
      for (const auto& message : answer.value("messages", json::array())) {
        after = message.value("sequence", after);
        take(client, message);
      }
    }
  }

  void take(const DemoMixNode& client, const json& message) {
    const auto bytes = wire::from_base64url(message.value("message", ""), mib);
    if (!bytes) return ledger_.complain("an answer of " + client.name + " cannot be read");
    const auto id = message.value("id", "");
    if (message.contains("reply_to") && message["reply_to"].is_string()) ++replies_;
    ledger_.arrived(id, digest(*bytes));
    if (message.value("reply_blocks", 0) == 0) return;
    DemoMessage reply;
    reply.from = &client == clients_[0] ? 0 : 1;
    reply.message =
        to_bytes(std::string_view{fmt::format("{} got {} bytes as {}", client.name, bytes->size(), id)});
    reply.sum = digest(reply.message);
    std::string problem;
    const auto answer =
        call(client, "POST", "/api/v1/mix/send?within_s=60&reply_to=" + id, reply.message, problem);
    if (!problem.empty()) return ledger_.complain(problem);
    ledger_.sent(answer.value("id", ""), std::move(reply), false);
  }

  std::string figures(DemoResult& result) {
    std::uint64_t packets = 0, again = 0;
    for (const auto* client : clients_) {
      const auto part = nodes_.status(*client).value("client", json::object());
      packets += part.value("packets", std::uint64_t{0});
      again += part.value("retransmissions", std::uint64_t{0});
    }
    result.facts.push_back(
        fmt::format("{} messages of 1 B to {}, {} of them replies by reply block: each with its digest",
                    result.items, messages_ >= 500 ? "1 MiB" : "64 KiB", replies_.load()));
    result.facts.push_back(fmt::format(
        "{} killed with SIGKILL in epoch {}: {} fragments sent again, {} messages given up and sent "
        "anew, {} replies lost",
        victim_, first_epoch_ + 1, again, ledger_.again(), replies_lost_.load()));
    result.facts.push_back(fmt::format("epoch {} to {}, {} packets of the clients, cover included",
                                       first_epoch_, last_epoch_, packets));
    for (const auto* mix : nodes_.of("mix")) {
      const auto part = nodes_.status(*mix);
      result.facts.push_back(fmt::format(
          "{}: layer {}, {} packets, drops {}, {} of {} loops back", mix->name, part.value("layer", 0),
          part.value("forwarded", std::uint64_t{0}), part.value("drops", json::object()).dump(),
          part.value("loops_back", std::uint64_t{0}), part.value("loops_sent", std::uint64_t{0})));
    }
    if (last_epoch_ <= first_epoch_) return "no epoch ended on the way";
    if (replies_.load() * 20 < messages_) return fmt::format("only {} replies arrived", replies_.load());
    return {};
  }

  DemoMixNodes& nodes_;
  std::vector<DemoMixNode*> clients_;
  std::size_t messages_;
  Clock::time_point until_;
  DemoMixLedger ledger_;
  std::string victim_;
  std::uint64_t first_epoch_ = 0, last_epoch_ = 0;
  std::atomic<std::size_t> replies_{0}, replies_lost_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace

DemoResult demo_mix(std::size_t messages) {
  DemoResult result;
  result.transport = "mix";
  DemoMixNodes nodes;
  const auto begin = Clock::now();
  result.note = nodes.start();
  const auto seconds = [](auto since) { return std::chrono::duration<double>(Clock::now() - since).count(); };
  result.facts.push_back(fmt::format(
      "3 authorities, 9 mixes, 2 gateways, 2 clients; directory in force after {:.0f} s", seconds(begin)));
  const auto start = Clock::now();
  if (result.note.empty()) result.note = Traffic{nodes, messages}.run(result);
  result.seconds = seconds(start);
  if (result.note.empty()) result.note = nodes.stop();
  result.verified = result.note.empty();
  return result;
}

}  // namespace village::daemon
