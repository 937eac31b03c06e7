#include "daemon/demo_mix.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

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
constexpr auto traffic_time_max = std::chrono::seconds{100};
constexpr auto pause_time = std::chrono::milliseconds{100};

std::string digest(ByteView bytes) {
  crypto::HashStream stream{crypto::HashAlgorithm::sha256};
  stream.update(bytes);
  return to_hex(stream.finish().view());
}

/// size_of gives the n-th of `all` messages its size: two of 1 MiB among a thousand, some large, most small.
std::size_t size_of(std::size_t n, std::size_t all, RandomSource& random) {
  if (all >= 500 && n < 2) return mib;
  if (n % 100 == 7) return 64 * 1024;
  if (n % 25 == 3) return 8 * 1024;
  if (n == 8) return 1;
  return static_cast<std::size_t>(std::exp(random.unit() * std::log(2'000.0)));
}

/// Ledger is what was sent and what arrived, over all threads.
class Ledger {
 public:
  void sent(const std::string& id, const std::string& sum, std::size_t bytes) {
    const std::lock_guard lock{mutex_};
    sent_[id] = sum;
    bytes_ += bytes;
  }
  void arrived(const std::string& id, const std::string& sum) {
    const std::lock_guard lock{mutex_};
    if (!arrived_.emplace(id, sum).second) ++twice_;
  }
  void complain(const std::string& problem) {
    const std::lock_guard lock{mutex_};
    if (problem_.empty()) problem_ = problem;
  }
  std::string problem() const {
    const std::lock_guard lock{mutex_};
    return problem_;
  }
  std::size_t sent_count() const {
    const std::lock_guard lock{mutex_};
    return sent_.size();
  }
  std::size_t arrived_count() const {
    const std::lock_guard lock{mutex_};
    return arrived_.size();
  }
  std::uint64_t bytes() const {
    const std::lock_guard lock{mutex_};
    return bytes_;
  }
  /// verdict compares everything; empty = each message arrived once, as it was sent.
  std::string verdict() const {
    const std::lock_guard lock{mutex_};
    if (!problem_.empty()) return problem_;
    if (twice_ != 0) return fmt::format("{} messages arrived twice", twice_);
    std::size_t missing = 0;
    for (const auto& [id, sum] : sent_) {
      const auto found = arrived_.find(id);
      if (found == arrived_.end()) {
        ++missing;
      } else if (found->second != sum) {
        return "message " + id + " arrived with another digest";
      }
    }
    if (missing != 0) return fmt::format("{} of {} messages did not arrive", missing, sent_.size());
    return arrived_.size() == sent_.size() ? std::string{} : "messages arrived that nobody sent";
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> sent_, arrived_;
  std::uint64_t bytes_ = 0;
  std::size_t twice_ = 0;
  std::string problem_;
};

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

/// Traffic sends and receives for both clients until all is there.
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
    std::vector<std::thread> receivers;
    for (auto* client : clients_) receivers.emplace_back([this, client] { receive(*client); });
    send_all();
    while (!everything_is_there() && !over()) std::this_thread::sleep_for(pause_time);
    stop_ = true;
    for (auto& receiver : receivers) receiver.join();
    result.bytes = ledger_.bytes();
    result.items = ledger_.arrived_count();
    if (auto problem = ledger_.verdict(); !problem.empty()) return problem;
    return figures(result);
  }

 private:
  std::uint64_t epoch() const { return nodes_.status(*clients_[0]).value("epoch", std::uint64_t{0}); }
  bool over() const { return Clock::now() > until_ || !ledger_.problem().empty(); }
  bool everything_is_there() const {
    return all_sent_ && replies_.load() == replies_due_.load() &&
           ledger_.arrived_count() >= ledger_.sent_count();
  }

  // One mix dies when a third is sent; the last tenth waits for a new epoch.
  void send_all() {
    SeededRandom random{crypto::SystemRandom{}.u64()};
    for (std::size_t n = 0; n < messages_ && !over(); ++n) {
      if (n == messages_ / 3) kill_one(random);
      if (n == messages_ - messages_ / 10) await_epoch();
      send(n, random);
    }
    all_sent_ = true;
  }

  void kill_one(RandomSource& random) {
    const auto mixes = nodes_.of("mix");
    auto* victim = mixes[random.below(mixes.size())];
    victim_ = victim->name;
    nodes_.kill(*victim);
  }

  void await_epoch() {
    while (!over()) {
      last_epoch_ = epoch();
      if (last_epoch_ > first_epoch_) return;
      std::this_thread::sleep_for(pause_time);
    }
  }

  void send(std::size_t n, SeededRandom& random) {
    const auto& from = *clients_[n % clients_.size()];
    const auto& to = *clients_[(n + 1) % clients_.size()];
    Bytes message(std::max<std::size_t>(size_of(n, messages_, random), 1));
    random.fill(message);
    const bool replies = n % reply_every == 5;
    std::string problem;
    const auto answer = call(
        from, "POST",
        fmt::format("/api/v1/mix/send?to={}&within_s=300&reply_blocks={}", to.address(), replies ? 1 : 0),
        message, problem);
    if (!problem.empty()) return ledger_.complain(problem);
    if (replies) ++replies_due_;
    ledger_.sent(answer.value("id", ""), digest(message), message.size());
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
    ledger_.arrived(message.value("id", ""), digest(*bytes));
    if (message.value("reply_blocks", 0) == 0) return;
    const auto text = fmt::format("{} got {} bytes", client.name, bytes->size());
    std::string problem;
    const auto answer =
        call(client, "POST", "/api/v1/mix/send?within_s=300&reply_to=" + message.value("id", ""),
             as_bytes(text), problem);
    if (!problem.empty()) return ledger_.complain(problem);
    ledger_.sent(answer.value("id", ""), digest(as_bytes(text)), text.size());
    ++replies_;
  }

  std::string figures(DemoResult& result) {
    std::uint64_t packets = 0, again = 0;
    for (const auto* client : clients_) {
      const auto part = nodes_.status(*client).value("client", json::object());
      packets += part.value("packets", std::uint64_t{0});
      again += part.value("retransmissions", std::uint64_t{0});
    }
    result.facts.push_back(
        fmt::format("{} messages of 1 B to {}, {} of them replies by reply block, each once and "
                    "with its digest",
                    result.items, messages_ >= 500 ? "1 MiB" : "64 KiB", replies_.load()));
    result.facts.push_back(
        fmt::format("{} killed with SIGKILL on the way: {} fragments sent again", victim_, again));
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
    if (replies_.load() != replies_due_.load())
      return fmt::format("{} of {} replies were sent", replies_.load(), replies_due_.load());
    return {};
  }

  DemoMixNodes& nodes_;
  std::vector<DemoMixNode*> clients_;
  std::size_t messages_;
  Clock::time_point until_;
  Ledger ledger_;
  std::string victim_;
  std::uint64_t first_epoch_ = 0, last_epoch_ = 0;
  std::atomic<std::size_t> replies_{0}, replies_due_{0};
  std::atomic<bool> all_sent_{false}, stop_{false};
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
      "3 authorities, 6 mixes, 2 gateways, 2 clients; directory in force after {:.0f} s", seconds(begin)));
  const auto start = Clock::now();
  if (result.note.empty()) result.note = Traffic{nodes, messages}.run(result);
  result.seconds = seconds(start);
  if (result.note.empty()) result.note = nodes.stop();
  result.verified = result.note.empty();
  return result;
}

}  // namespace village::daemon
