#pragma once
// A mix node without sockets for tests: workers, keys, and packets made for it.
#include <memory>
#include <set>
#include <vector>

#include "village/base/random.hpp"
#include "village/mix/worker.hpp"
#include "village/sphinx/create.hpp"

namespace village::mix::test {

inline sphinx::NodeAddress address_of(NeighbourIndex index) {
  return sphinx::node_address(
      Ipv4Address{std::byte{10}, std::byte{0}, std::byte(index >> 8), std::byte(index & 255)}, 9'001);
}

/// A node whose next hops are address_of(i) for i below `neighbours`.
class NodeWorld {
 public:
  static constexpr NeighbourIndex neighbours = 8;
  static WorkerOptions small() {
    WorkerOptions options;
    options.epochs = Epochs{30s, 15s};
    options.neighbours = neighbours;
    options.ingress_packets = 256;
    options.held_packets = 512;
    options.rates = RateRules{0, 1, 0, 1};
    return options;
  }

  explicit NodeWorld(WorkerOptions chosen = small(), std::uint32_t count = 1, std::uint64_t seed = 1)
      : options{chosen},
        random{seed},
        mesh{count},
        keys{chosen.epochs, crypto::VrfKeyPair::generate(random)},
        epoch{chosen.epochs.at(wall)} {
    for (std::uint32_t i = 0; i < count; ++i)
      workers.push_back(std::make_unique<Worker>(options, mesh, i, random, now));
    std::vector<RouteTable::Route> routes;
    for (NeighbourIndex i = 0; i < neighbours; ++i) routes.push_back({address_of(i), i});
    for (auto& worker : workers) worker->set_routes(std::make_shared<RouteTable>(routes, random));
    install(epoch);
  }

  void install(Epoch of, std::size_t segments = 1, std::size_t segment_tags = 10'000) {
    const auto made = keys.generate(of, random);
    for (auto& worker : workers) {
      auto shard = std::make_unique<ReplayShard>(ReplayFilter{segments, segment_tags}, nullptr);
      EXPECT_TRUE(worker->install(made, std::move(shard)));
    }
  }

  struct Wish {
    std::uint64_t delay_ns = 20'000'000;
    NeighbourIndex next = 3;
    bool last = false;
    std::optional<Epoch> of;
  };
  /// frame makes a packet that this node forwards to a neighbour, or is the last hop of.
  Bytes frame(Wish wish) {
    const auto of = wish.of.value_or(epoch);
    Bytes bytes(frame_bytes(options.profile));
    std::vector<sphinx::Hop> hops{{keys.find(of)->sphinx_public, address_of(900), wish.delay_ns}};
    if (!wish.last) hops.push_back({next_key.public_key, address_of(wish.next), 0});
    Bytes message(32);
    random.fill(message);
    sphinx::Destination destination{};
    destination[0] = std::byte{0xDD};
    sphinx::Identifier identifier{};
    identifier[0] = std::byte{0x1D};
    const auto made = sphinx::create_packet(hops, destination, identifier, message,
                                            ByteSpan{bytes}.subspan(frame_header_bytes), random);
    EXPECT_TRUE(made);
    write_frame_header(options.profile, Epochs::rotation(of), std::span{bytes}.first<frame_header_bytes>());
    return bytes;
  }
  Bytes frame() { return frame(Wish{}); }

  bool submit(const Bytes& bytes, NeighbourIndex from = 0, std::size_t worker = 0) {
    return workers[worker]->submit(from, bytes, now, wall);
  }
  void pass(Duration time) {
    now += time;
    wall += time;
  }
  /// run lets all workers run until none has news for another.
  void run() {
    for (int round = 0; round < 4; ++round)
      for (auto& worker : workers) worker->run(now);
  }
  struct Sent {
    NeighbourIndex next;
    Bytes frame;
  };
  std::vector<Sent> sent(std::size_t worker = 0) {
    std::vector<Sent> result;
    std::array<Released, 16> out;
    for (std::size_t count; (count = workers[worker]->poll_released(out)) > 0;)
      for (const auto& item : std::span{out}.first(count)) {
        result.push_back({item.next, to_bytes(item.frame)});
        workers[worker]->done(item.held);
      }
    return result;
  }
  std::vector<Bytes> delivered(std::size_t worker = 0) {
    std::vector<Bytes> result;
    std::array<Delivered, 16> out;
    for (std::size_t count; (count = workers[worker]->poll_delivered(out)) > 0;)
      for (const auto& item : std::span{out}.first(count)) {
        result.push_back(to_bytes(item.payload));
        workers[worker]->done(item.held);
      }
    return result;
  }
  /// settle lets a batch's time pass, runs, lets `delay` pass, runs again.
  void settle(Duration delay = 21ms) {
    pass(WorkerOptions{}.batch_wait);
    run();
    pass(delay);
    run();
  }
  std::uint64_t drops(Drop reason) const {
    std::uint64_t sum = 0;
    for (const auto& worker : workers) sum += worker->counters().drops[reason];
    return sum;
  }
  /// balanced: every frame submitted is accounted for.
  bool balanced() const {
    for (const auto& worker : workers) {
      const auto& c = worker->counters();
      if (c.received != c.forwarded + c.delivered + c.abandoned + c.drops.total() + worker->in_flight())
        return false;
    }
    return true;
  }

  WorkerOptions options;
  SeededRandom random;
  Instant now{1h};
  WallTime wall{3'001s};  // the first second of an epoch
  WorkerMesh mesh;
  NodeKeys keys;
  Epoch epoch;
  crypto::X25519KeyPair next_key = crypto::X25519KeyPair::generate(random);
  std::vector<std::unique_ptr<Worker>> workers;
};

}  // namespace village::mix::test
