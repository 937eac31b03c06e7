// mix.single_core, end_to_end_vs_unwrap: a node with its HTX links on one core, a generator and a sink on the
// other; packets made before, delays on, nothing lost.
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <thread>

#include "../support/allocations.hpp"  // not that of the tests
#include "mix/bench_mix.hpp"
#include "service/mix_core.hpp"
#include "service/tunnel_stream.hpp"
#include "village/crypto/random.hpp"
#include "village/net/clock.hpp"
#include "village/net/deadline.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"
#include "village/service/tunnel.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/unwrap.hpp"

namespace village::bench {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto frame_bytes = mix::frame_bytes(mix::Profile::n2048);
constexpr std::size_t frames_at_once = 8;     // of one write of the generator
constexpr std::size_t under_way_max = 8'192;  // sent and not arrived: the delays hold some 1,500
constexpr std::size_t sample_every = 997;

std::uint64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

void stay_on(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu % std::max(std::thread::hardware_concurrency(), 1U), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

sphinx::NodeAddress address(unsigned number) {
  return sphinx::node_address(Ipv4Address{std::byte{10}, std::byte{0}, std::byte{2}, std::byte(number)},
                              9'001);
}

/// Packets are distinct 3-hop packets for one node, whose next hop is always the sink.
struct Packets {
  explicit Packets(std::size_t count, Duration mean) : frames(count * frame_bytes) {
    epochs.length = std::chrono::hours{24 * 30};
    mix::NodeKeys made{epochs, crypto::VrfKeyPair::generate(random)};
    keys = made.generate(epochs.at(net::SystemClock{}.wall()), random);
    const auto others =
        std::array{crypto::X25519KeyPair::generate(random), crypto::X25519KeyPair::generate(random)};
    const auto delays = mix::DelayDistribution::exponential(mean).value();
    Bytes message(1'600);
    for (std::size_t i = 0; i < count; ++i) {
      random.fill(message);
      const auto frame = ByteSpan{frames}.subspan(i * frame_bytes, frame_bytes);
      const auto delay = static_cast<std::uint64_t>(delays.draw(random.unit()).count());
      const std::array<sphinx::Hop, 3> hops{{{keys->sphinx_public, address(0), delay},
                                             {others[0].public_key, address(1), 20'000'000},
                                             {others[1].public_key, address(2), 0}}};
      must(sphinx::create_packet(hops, {}, {}, message, frame.subspan(mix::frame_header_bytes), random)
               .has_value(),
           "no packet");
      mix::write_frame_header(mix::Profile::n2048, mix::Epochs::rotation(keys->epoch),
                              frame.first<mix::frame_header_bytes>());
      if (i % sample_every == 0) expected.insert(unwrapped(frame));
    }
  }
  std::string unwrapped(ByteView frame) const {
    Bytes copy = to_bytes(frame);
    sphinx::Unwrapped found;
    must(sphinx::unwrap(keys->sphinx_private, 1'700, ByteSpan{copy}.subspan(mix::frame_header_bytes),
                        found) == sphinx::Reject::none,
         "unwrap refuses");
    return std::string{as_text(copy)};
  }
  std::size_t count() const { return frames.size() / frame_bytes; }

  SeededRandom random{20261121};
  mix::Epochs epochs;
  mix::EpochKeysPtr keys;
  Bytes frames;
  std::set<std::string> expected;  ///< frames that must come out of some of them
};

/// Sink counts frames and knows some of them.
class Sink final : public service::StreamSink {
 public:
  explicit Sink(const std::set<std::string>& expected) : expected_{expected}, frame_(frame_bytes) {}
  void take(ByteView bytes) override {
    while (!bytes.empty()) {
      const auto part = bytes.first(std::min(bytes.size(), frame_bytes - have_));
      std::copy(part.begin(), part.end(), frame_.begin() + static_cast<std::ptrdiff_t>(have_));
      bytes = bytes.subspan(part.size());
      have_ += part.size();
      if (have_ < frame_bytes) return;
      have_ = 0;
      // A sample only: looking up each frame would be the benchmark.
      if (arrived_.fetch_add(1, std::memory_order_relaxed) % 64 == 0 &&
          expected_.contains(std::string{as_text(frame_)}))
        ++known_;
    }
  }
  std::uint64_t arrived() const { return arrived_.load(std::memory_order_relaxed); }
  std::uint64_t known() const { return known_; }

 private:
  const std::set<std::string>& expected_;
  Bytes frame_;
  std::size_t have_ = 0;
  std::atomic<std::uint64_t> arrived_{0};
  std::atomic<std::uint64_t> known_{0};
};

/// End is one node's tunnel.
struct End {
  End(net::Runtime& runtime, std::string word)
      : name{std::move(word)},
        core{&runtime.core(0)},
        options{std::make_shared<service::TunnelOptions>()},
        exit{*core} {
    options->identity = std::make_shared<crypto::Ed25519KeyPair>(crypto::Ed25519KeyPair::generate(random));
  }
  void listen() {
    auto bound = net::Listener::bind_tcp(net::loopback_v4(), 1);
    must(bound.has_value(), "no port");
    listener = *std::move(bound);
    options->listen.push_back({net::to_target(*listener->local()), service::Outer::none, {}, {}});
  }
  void knows(const End& peer) {
    service::TunnelPeer entry;
    entry.name = peer.name;
    entry.key = peer.options->identity->public_key;
    entry.outer = service::Outer::none;
    entry.allow_inbound = true;
    if (peer.listener) entry.address = net::to_target(*peer.listener->local());
    options->peers.push_back(std::move(entry));
  }
  void start() {
    tunnel = std::make_unique<service::Tunnel>(*core, options, exit);
    if (listener) must(tunnel->serve(listener, 0).has_value(), "cannot serve");
  }
  std::string name;
  net::Core* core;
  crypto::SystemRandom random;
  std::shared_ptr<service::TunnelOptions> options;
  net::TcpDialer exit;
  std::shared_ptr<net::Listener> listener;
  std::unique_ptr<service::Tunnel> tunnel;
};

/// Rig is node, generator and sink, and what they tell one another across the cores.
class Rig {
 public:
  explicit Rig(Packets& packets)
      : packets_{packets},
        sink_{packets.expected},
        node_{node_runtime_, "node"},
        generator_{peer_runtime_, "generator"},
        target_{peer_runtime_, "sink"} {
    node_.listen();
    target_.listen();
    node_.knows(generator_);
    node_.knows(target_);
    generator_.knows(node_);
    target_.knows(node_);
    options_.epochs = packets.epochs;
    options_.rate = {10'000'000, 1'000'000, 1, 0};
    options_.held_max = 65'536;
    options_.link_queue = 65'536;
    node_runtime_.start();
    peer_runtime_.start();
    on(node_runtime_, [this] {
      stay_on(0);
      node_.start();
      make_core();
    });
    on(peer_runtime_, [this] {
      stay_on(1);
      generator_.start();
      target_.start();
      serve_sink();
    });
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;
  ~Rig() {
    const auto end = [](net::Runtime& runtime, auto work) { runtime.call(0, work); };
    end(peer_runtime_, [this](net::Core& core) -> asio::awaitable<void> {
      (void)co_await generator_.tunnel->drain(core.clock().now());
    });
    end(node_runtime_, [this](net::Core& core) -> asio::awaitable<void> {
      co_await core_->drain(core.clock().now());
      (void)co_await node_.tunnel->drain(core.clock().now());
    });
    end(peer_runtime_, [this](net::Core& core) -> asio::awaitable<void> {
      (void)co_await target_.tunnel->drain(core.clock().now());
    });
    for (auto* runtime : {&node_runtime_, &peer_runtime_}) {
      runtime->stop();
      runtime->join();
    }
    core_.reset();
  }

  struct Outcome {
    double per_s = 0, per_cpu_s = 0, allocations = 0;
    std::uint64_t sent = 0, arrived = 0, known = 0;
    mix::DropCounts drops;
  };
  /// run sends as fast as the node takes it for `time`, then waits for the last packet.
  Outcome run(Duration time) {
    std::atomic<bool> stop{false};
    auto sending = std::async(std::launch::async, [&] {
      peer_runtime_.call(0, [this, &stop](net::Core& core) { return generate(core, stop); });
    });
    std::this_thread::sleep_for(1s);  // sessions open, buffers grown
    const auto start = now_ns(), cpu = node_cpu(), first = sink_.arrived(), before = allocations().count;
    std::this_thread::sleep_for(time);
    const auto packets = static_cast<double>(sink_.arrived() - first);
    const auto seconds = static_cast<double>(now_ns() - start) * 1e-9;
    const auto cpu_seconds = static_cast<double>(node_cpu() - cpu) * 1e-9;
    const auto made = static_cast<double>(allocations().count - before);
    stop = true;
    sending.get();
    for (int i = 0; i < 600 && sink_.arrived() < sent_; ++i) std::this_thread::sleep_for(50ms);
    Outcome outcome;
    outcome.per_s = packets / seconds;
    outcome.per_cpu_s = packets / cpu_seconds;
    outcome.allocations = made / packets;
    outcome.sent = sent_;
    outcome.arrived = sink_.arrived();
    outcome.known = sink_.known();
    on(node_runtime_, [&] { outcome.drops = core_->totals().worker.drops; });
    return outcome;
  }

 private:
  template <class Work>
  static void on(net::Runtime& runtime, Work work) {
    runtime.call(0, [&work](net::Core&) -> asio::awaitable<void> {
      work();
      co_return;
    });
  }
  std::uint64_t node_cpu() {
    std::uint64_t time = 0;
    on(node_runtime_, [&time] { time = thread_cpu_ns(); });
    return time;
  }

  void make_core() {
    service::MixCore::Hooks hooks;
    hooks.delivered = [](const mix::Delivered&) {};
    hooks.wake = [](std::uint64_t) {};
    hooks.is_client = [](const crypto::Ed25519Public&) { return false; };
    core_ =
        std::make_unique<service::MixCore>(*node_.core, *node_.tunnel, options_, mesh_, 0, std::move(hooks));
    auto table = std::make_shared<service::MixNeighbours>();
    for (auto* end : {&generator_, &target_}) {
      const auto index = static_cast<mix::NeighbourIndex>(table->by_index.size());
      const auto& key = end->options->identity->public_key;
      table->by_key[key] = index;
      service::MixNeighbour neighbour;
      neighbour.key = key;
      neighbour.peer = end->name;
      neighbour.address = address(index);
      table->by_index.push_back(neighbour);
    }
    table->routes = std::make_shared<const mix::RouteTable>(
        std::vector<mix::RouteTable::Route>{{address(1), 1}}, node_.random);
    core_->set_neighbours(table);
    renew();
    core_->start();
  }
  /// renew gives the key a fresh memory, so that the same packets may pass once more.
  void renew() {
    auto shard = std::make_unique<mix::ReplayShard>(mix::ReplayFilter{1}, nullptr);
    must(core_->install(packets_.keys, std::move(shard)).has_value(), "no room");
  }

  /// renew_behind waits until `want` packets have been looked up: those that are held do not matter.
  asio::awaitable<void> renew_behind(net::Core& core, std::uint64_t want) {
    for (int i = 0; i < 20'000; ++i) {
      const auto totals = core_->totals();
      if (totals.worker.received >= want && totals.in_flight == totals.held) break;
      (void)co_await net::sleep_until(core, net::after(core, 500us));
    }
    renew();
    renewed_ = true;
  }

  void serve_sink() {
    service::StreamService service;
    service.admits = [](const crypto::Ed25519Public&) { return true; };
    service.serve = [this](crypto::Ed25519Public, std::shared_ptr<service::TunnelStream> stream) {
      return drink(std::move(stream));
    };
    target_.tunnel->use_service(htx::Service::mix, std::move(service));
  }
  asio::awaitable<void> drink(std::shared_ptr<service::TunnelStream> stream) {
    stream->set_sink(&sink_);
    (void)co_await stream->wait_over();
    stream->set_sink(nullptr);
  }

  asio::awaitable<void> generate(net::Core& core, std::atomic<bool>& stop) {
    const auto stream = co_await generator_.tunnel->open("node", htx::Service::mix, net::after(core, 20s));
    must(stream.has_value(), "no stream to the node");
    constexpr auto piece = frames_at_once * frame_bytes;
    while (!stop) {
      for (std::size_t at = 0; at + piece <= packets_.frames.size() && !stop; at += piece) {
        while (sent_ - sink_.arrived() > under_way_max && !stop)
          (void)co_await net::sleep_until(core, net::after(core, 200us));
        const auto written = co_await (*stream)->write_all(ByteView{packets_.frames}.subspan(at, piece));
        must(written.has_value(), "the node hung up");
        sent_ += frames_at_once;
      }
      renewed_ = false;
      node_runtime_.spawn_on(0, [this, want = sent_](net::Core& at) { return renew_behind(at, want); });
      while (!renewed_ && !stop) (void)co_await net::sleep_until(core, net::after(core, 200us));
    }
    // What was taken over still leaves; a stream that is dropped would not say it.
    (void)co_await (*stream)->shutdown_write();
    for (int i = 0; i < 20'000 && sink_.arrived() < sent_; ++i)
      (void)co_await net::sleep_until(core, net::after(core, 1ms));
  }

  Packets& packets_;
  Sink sink_;
  net::Runtime node_runtime_{1}, peer_runtime_{1};
  End node_, generator_, target_;
  service::MixOptions options_;
  mix::WorkerMesh mesh_{1};
  std::unique_ptr<service::MixCore> core_;
  std::uint64_t sent_ = 0;
  std::atomic<bool> renewed_{false};
};

std::string drops_text(const mix::DropCounts& drops) {
  std::string text;
  for (std::size_t i = 0; i < mix::drop_count; ++i) {
    if (drops.by_reason[i] == 0) continue;
    text +=
        std::string{mix::name(static_cast<mix::Drop>(i))} + " " + std::to_string(drops.by_reason[i]) + " ";
  }
  return text.empty() ? "none" : text;
}

/// alone gives what a worker unwraps in memory, a second of wall time and of its CPU time.
std::pair<double, double> alone(Packets& packets, const service::MixOptions& from) {
  mix::WorkerMesh mesh{1};
  auto options = service::worker_options(from, 1);
  options.held_packets = 65'536;
  mix::Worker worker{options, mesh, 0, packets.random,
                     Instant{Duration{static_cast<Duration::rep>(now_ns())}}};
  must(worker.install(packets.keys, std::make_unique<mix::ReplayShard>(mix::ReplayFilter{1}, nullptr))
           .has_value(),
       "no room");
  worker.set_routes(std::make_shared<const mix::RouteTable>(
      std::vector<mix::RouteTable::Route>{{address(1), 1}}, packets.random));
  const auto wall = net::SystemClock{}.wall();
  std::array<mix::Released, 64> out;
  std::size_t released = 0;
  const auto start = now_ns(), cpu = thread_cpu_ns();
  for (std::size_t next = 0; next < packets.count();) {
    const auto now = Instant{Duration{static_cast<Duration::rep>(now_ns())}};
    for (; next < packets.count() && !worker.batch_full(); ++next)
      must(worker.submit(0, ByteView{packets.frames}.subspan(next * frame_bytes, frame_bytes), now, wall),
           "refused");
    worker.run(now);
    for (std::size_t count; (count = worker.poll_released(out)) > 0;) {
      for (const auto& item : std::span{out}.first(count)) worker.done(item.held);
      released += count;
    }
  }
  must(worker.counters().drops.total() == 0 && released != 0, "packets dropped");
  const auto count = static_cast<double>(packets.count());
  return {count * 1e9 / static_cast<double>(now_ns() - start),
          count * 1e9 / static_cast<double>(thread_cpu_ns() - cpu)};
}

}  // namespace

void run_end_to_end(const Options& options, Report& report) {
  Packets packets{options.quick ? 16'384U : 65'536U, 50ms};
  service::MixOptions settings;
  settings.epochs = packets.epochs;
  settings.rate = {10'000'000, 1'000'000, 1, 0};
  std::vector<double> walls, cpus;
  const auto measure = [&] {
    for (int i = 0; i < 3; ++i) {
      const auto [wall, cpu] = alone(packets, settings);
      walls.push_back(wall);
      cpus.push_back(cpu);
    }
  };
  measure();
  Rig::Outcome outcome;
  {
    Rig rig{packets};
    outcome = rig.run(options.quick ? 5s : 60s);
  }
  measure();
  const auto unwrap = spread(walls), unwrap_cpu = spread(cpus);
  must(outcome.known != 0, "no packet came out as sphinx::unwrap makes it");
  const std::string how = "a node with HTX links on CPU 0, generator and sink on CPU 1, " +
                          std::to_string(packets.count()) +
                          " packets over and over (a fresh replay filter each time), exponential delays of "
                          "50 ms; over the median of 6 "
                          "runs of its worker in memory before and after";
  report.at_least("mix.single_core", "end_to_end_vs_unwrap", outcome.per_s / unwrap.median, "ratio", 0.5,
                  how);
  report.shown("mix.single_core", "end_to_end_vs_unwrap_cpu", outcome.per_cpu_s / unwrap_cpu.median, "ratio",
               "the same by CPU time of the node's thread: others may share the machine");
  report.shown("mix.single_core", "end_to_end_packets_per_s", outcome.per_s, "1/s", "the same run");
  report.at_most("mix.single_core", "end_to_end_lost", static_cast<double>(outcome.sent - outcome.arrived),
                 "packets", 0,
                 std::to_string(outcome.sent) + " sent; dropped by the worker: " + drops_text(outcome.drops));
  report.shown("mix.single_core", "end_to_end_allocations", outcome.allocations, "per packet",
               "calls of malloc in the whole process, generator and sink too, by packets");
}

}  // namespace village::bench
