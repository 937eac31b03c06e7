#include "mix/node_rig.hpp"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <thread>

#include "../support/allocations.hpp"  // not that of the tests
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

constexpr auto frame_bytes = RigPackets::frame_bytes;
constexpr std::size_t frames_at_once = 8;     // of one write of the generator at full speed
constexpr std::size_t under_way_max = 8'192;  // sent and not arrived: the delays hold some 1,500
constexpr std::size_t sample_every = 97;

/// ThreadMeter reads a thread's clock and its calls of malloc from another thread.
struct ThreadMeter {
  ThreadMeter() { must(pthread_getcpuclockid(pthread_self(), &clock) == 0, "no clock of a thread"); }
  std::uint64_t cpu_ns() const {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
  }
  std::uint64_t allocations() const { return count.load(std::memory_order_relaxed); }
  clockid_t clock{};
  const std::atomic<std::uint64_t>& count = own_allocations();
};

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

/// Sink counts frames, and compares those that it knows.
class Sink final : public service::StreamSink {
 public:
  explicit Sink(const RigPackets::Expected& expected) : expected_{expected}, frame_(frame_bytes) {}
  void take(ByteView bytes) override {
    while (!bytes.empty()) {
      const auto part = bytes.first(std::min(bytes.size(), frame_bytes - have_));
      std::copy(part.begin(), part.end(), frame_.begin() + static_cast<std::ptrdiff_t>(have_));
      bytes = bytes.subspan(part.size());
      have_ += part.size();
      if (have_ < frame_bytes) return;
      have_ = 0;
      arrived_.fetch_add(1, std::memory_order_relaxed);
      const auto found = expected_.find(RigPackets::mark(frame_));
      if (found == expected_.end()) continue;
      must(std::ranges::equal(found->second, frame_), "a packet differs from what sphinx::unwrap makes");
      ++known_;
    }
  }
  std::uint64_t arrived() const { return arrived_.load(std::memory_order_relaxed); }
  std::uint64_t known() const { return known_; }

 private:
  const RigPackets::Expected& expected_;
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

}  // namespace

RigPackets::RigPackets(std::size_t count, Duration mean_delay) : frames(count * frame_bytes) {
  epochs.length = std::chrono::hours{24 * 30};
  mix::NodeKeys made{epochs, crypto::VrfKeyPair::generate(random)};
  keys = made.generate(epochs.at(net::SystemClock{}.wall()), random);
  const auto others =
      std::array{crypto::X25519KeyPair::generate(random), crypto::X25519KeyPair::generate(random)};
  const auto delays = mix::DelayDistribution::exponential(mean_delay).value();
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
    if (i % sample_every != 0) continue;
    auto out = unwrapped(frame);
    const auto key = mark(out);
    must(expected.emplace(key, std::move(out)).second, "two packets alike");
  }
}

Bytes RigPackets::unwrapped(ByteView frame) const {
  Bytes copy = to_bytes(frame);
  sphinx::Unwrapped found;
  must(sphinx::unwrap(keys->sphinx_private, 1'700, ByteSpan{copy}.subspan(mix::frame_header_bytes), found) ==
           sphinx::Reject::none,
       "unwrap refuses");
  return copy;
}

std::uint64_t RigPackets::mark(ByteView frame) {
  std::uint64_t value = 0;
  std::memcpy(&value, frame.last<8>().data(), sizeof value);  // of the payload
  return value;
}

std::shared_ptr<const mix::RouteTable> RigPackets::routes() {
  return std::make_shared<const mix::RouteTable>(std::vector<mix::RouteTable::Route>{{address(1), 1}},
                                                 random);
}

/// State is node, generator and sink, and what they tell one another across the cores.
struct NodeRig::State {
  explicit State(RigPackets& packets)
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
    options_ = NodeRig::options(packets);
    node_runtime_.start();
    peer_runtime_.start();
    on(node_runtime_, [this] {
      stay_on(0);
      node_meter_.emplace();
      node_.start();
      make_core();
    });
    on(peer_runtime_, [this] {
      stay_on(1);
      peer_meter_.emplace();
      generator_.start();
      target_.start();
      serve_sink();
    });
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
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

  Outcome run(Duration interval, Duration warm_up, Duration time) {
    std::atomic<bool> stop{false};
    auto sending = std::async(std::launch::async, [&] {
      peer_runtime_.call(0,
                         [this, &stop, interval](net::Core& core) { return generate(core, stop, interval); });
    });
    std::this_thread::sleep_for(warm_up);  // sessions open, buffers grown
    const auto start = now_ns(), cpu = node_meter_->cpu_ns(), first = sink_.arrived();
    const auto made = node_meter_->allocations(), made_by_peer = peer_meter_->allocations();
    const auto renewing = renewing_.load();
    std::this_thread::sleep_for(time);
    Outcome outcome;
    outcome.renewal_allocations = renewing_.load() - renewing;
    outcome.node_allocations = node_meter_->allocations() - made - outcome.renewal_allocations;
    outcome.peer_allocations = peer_meter_->allocations() - made_by_peer;
    outcome.packets = sink_.arrived() - first;
    const auto seconds = static_cast<double>(now_ns() - start) * 1e-9;
    const auto cpu_seconds = static_cast<double>(node_meter_->cpu_ns() - cpu) * 1e-9;
    stop = true;
    sending.get();
    for (int i = 0; i < 600 && sink_.arrived() < sent_; ++i) std::this_thread::sleep_for(50ms);
    outcome.per_s = static_cast<double>(outcome.packets) / seconds;
    outcome.per_cpu_s = static_cast<double>(outcome.packets) / cpu_seconds;
    outcome.node_cpu = cpu_seconds / seconds;
    outcome.sent = sent_;
    outcome.arrived = sink_.arrived();
    outcome.known = sink_.known();
    on(node_runtime_, [&] { outcome.drops = core_->totals().worker.drops; });
    return outcome;
  }

  template <class Work>
  static void on(net::Runtime& runtime, Work work) {
    runtime.call(0, [&work](net::Core&) -> asio::awaitable<void> {
      work();
      co_return;
    });
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
    table->routes = packets_.routes();
    core_->set_neighbours(table);
    renew();
    core_->start();
  }
  /// renew gives the key a fresh memory, so that the same packets may pass once more.
  void renew() {
    const auto before = node_meter_->allocations();
    auto shard = std::make_unique<mix::ReplayShard>(mix::ReplayFilter{1}, nullptr);
    must(core_->install(packets_.keys, std::move(shard)).has_value(), "no room");
    renewing_ += node_meter_->allocations() - before;
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

  asio::awaitable<void> generate(net::Core& core, std::atomic<bool>& stop, Duration interval) {
    const auto stream = co_await generator_.tunnel->open("node", htx::Service::mix, net::after(core, 20s));
    must(stream.has_value(), "no stream to the node");
    const auto frames = interval.count() == 0 ? frames_at_once : 1;
    const auto piece = frames * frame_bytes;
    auto next = core.clock().now();
    while (!stop) {
      for (std::size_t at = 0; at + piece <= packets_.frames.size() && !stop; at += piece) {
        while (sent_ - sink_.arrived() > under_way_max && !stop)
          (void)co_await net::sleep_until(core, net::after(core, 200us));
        if (interval.count() != 0) (void)co_await net::sleep_until(core, next += interval);
        const auto written = co_await (*stream)->write_all(ByteView{packets_.frames}.subspan(at, piece));
        must(written.has_value(), "the node hung up");
        sent_ += frames;
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

  RigPackets& packets_;
  Sink sink_;
  net::Runtime node_runtime_{1}, peer_runtime_{1};
  End node_, generator_, target_;
  service::MixOptions options_;
  mix::WorkerMesh mesh_{1};
  std::unique_ptr<service::MixCore> core_;
  std::uint64_t sent_ = 0;
  std::atomic<bool> renewed_{false};
  std::optional<ThreadMeter> node_meter_, peer_meter_;  // made before anything is measured
  std::atomic<std::uint64_t> renewing_{0};
};

NodeRig::NodeRig(RigPackets& packets) : state_{std::make_unique<State>(packets)} {}
NodeRig::~NodeRig() = default;

NodeRig::Outcome NodeRig::run(Duration interval, Duration warm_up, Duration time) {
  return state_->run(interval, warm_up, time);
}

service::MixOptions NodeRig::options(const RigPackets& packets) {
  service::MixOptions options;
  options.epochs = packets.epochs;
  options.rate = {10'000'000, 1'000'000, 1, 0};
  options.held_max = 65'536;
  options.link_queue = 65'536;
  return options;
}

}  // namespace village::bench
