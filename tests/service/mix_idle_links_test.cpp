// A link that carries nothing is closed until there is something again (mix.link_idle).
#include <gtest/gtest.h>

#include "service/mix_core.hpp"
#include "service/tunnel_stream.hpp"
#include "tunnel_world.hpp"
#include "village/mix/frame.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t packet_bytes = mix::packet_bytes(mix::Profile::n2048);
constexpr Duration idle = 1s;  ///< the least that a configuration may say

sphinx::NodeAddress address(std::size_t number) {
  return sphinx::node_address(Ipv4Address{std::byte{10}, std::byte{0}, std::byte{4}, std::byte(number)},
                              9'001);
}

/// NextHop takes what one link brings.
struct NextHop final : service::StreamSink {
  explicit NextHop(Node& with) : node{with} {}
  void take(ByteView in) override { bytes += in.size(); }
  Node& node;
  std::size_t streams = 0, open = 0, bytes = 0;
};

/// IdleWorld is a mix with two next hops, all on the servers' core.
class IdleWorld {
 public:
  IdleWorld() : node_{world_.node("node", servers)} {
    for (const auto* name : {"busy", "idle"}) {
      auto& hop = hops_.emplace_back(world_.node(name, servers));
      world_.listens(hop.node, service::Outer::none);
      world_.knows(hop.node, node_, true);
      world_.knows(node_, hop.node, false);
      world_.start(hop.node);
    }
    // Their addresses are known only now.
    for (auto& hop : hops_) {
      for (auto& peer : node_.options->peers) {
        if (peer.name == hop.node.name) peer.address = hop.node.address;
      }
    }
    world_.start(node_);
    options_.link_idle = idle;
    world_.run(servers, [this](net::Core& core) -> asio_void {
      start(core);
      co_return;
    });
  }
  ~IdleWorld() {
    world_.run(servers, [this](net::Core& core) -> asio_void {
      co_await mix_->drain(core.clock().now());
      mix_.reset();
    });
    world_.stop(node_);
    for (auto& hop : hops_) world_.stop(hop.node);
  }
  IdleWorld(const IdleWorld&) = delete;
  IdleWorld& operator=(const IdleWorld&) = delete;

  /// runs a coroutine on the core of all.
  template <class Make>
  auto run(Make make) {
    return world_.run(servers, std::move(make));
  }
  NextHop& busy() { return hops_.front(); }
  NextHop& idle_one() { return hops_.back(); }
  service::MixTotals totals() const { return mix_->totals(); }
  /// send gives a packet to a link.
  bool send(const NextHop& to) {
    return mix_->inject(address(&to == &hops_.front() ? 0 : 1), std::byte{1}, Bytes(packet_bytes));
  }
  /// wait looks at a condition again and again, for at most 20 s.
  static boost::asio::awaitable<bool> wait(net::Core& core, std::function<bool()> condition) {
    const auto end = core.clock().now() + 20s;
    while (!condition() && core.clock().now() < end)
      (void)co_await net::sleep_until(core, net::after(core, 5ms));
    co_return condition();
  }

 private:
  void start(net::Core& core) {
    for (auto& hop : hops_) {
      service::StreamService service;
      service.admits = [](const auto&) { return true; };
      service.serve = [&hop](crypto::Ed25519Public, std::shared_ptr<service::TunnelStream> stream) {
        return drink(hop, std::move(stream));
      };
      hop.node.tunnel->use_service(htx::Service::mix, std::move(service));
    }
    service::MixCore::Hooks hooks;
    hooks.delivered = [](const mix::Delivered&) {};
    hooks.wake = [](std::uint64_t) {};
    hooks.is_client = [](const crypto::Ed25519Public&) { return false; };
    mix_ = std::make_unique<service::MixCore>(core, *node_.tunnel, options_, mesh_, 0, std::move(hooks));
    auto table = std::make_shared<service::MixNeighbours>();
    std::vector<mix::RouteTable::Route> routes;
    for (auto& hop : hops_) {
      const auto index = static_cast<mix::NeighbourIndex>(table->by_index.size());
      service::MixNeighbour neighbour;
      neighbour.key = hop.node.identity->public_key;
      neighbour.peer = hop.node.name;
      neighbour.address = address(index);
      table->by_key[neighbour.key] = index;
      table->by_index.push_back(neighbour);
      routes.push_back({neighbour.address, index});
    }
    table->routes = std::make_shared<const mix::RouteTable>(routes, random_);
    mix_->set_neighbours(table);
    mix_->start();
  }
  static asio_void drink(NextHop& hop, std::shared_ptr<service::TunnelStream> stream) {
    ++hop.streams;
    ++hop.open;
    service::StreamSink& sink = hop;
    stream->set_sink(&sink);
    (void)co_await stream->wait_over();
    stream->set_sink(nullptr);
    --hop.open;
  }

  SeededRandom random_{20261122};
  service::MixOptions options_;
  mix::WorkerMesh mesh_{1};
  TunnelWorld world_;
  Node& node_;
  std::list<NextHop> hops_;
  std::unique_ptr<service::MixCore> mix_;
};

constexpr std::size_t frame_bytes = mix::frame_bytes(mix::Profile::n2048);

TEST(MixIdleLinks, CloseAndOpenAgainWithTheNextPacket) {
  IdleWorld world;
  world.run([&](net::Core& core) -> asio_void {
    auto& hop = world.idle_one();
    EXPECT_TRUE(world.send(hop));
    const bool came = co_await IdleWorld::wait(core, [&] { return hop.bytes == frame_bytes; });
    EXPECT_TRUE(came);
    const bool closed = co_await IdleWorld::wait(core, [&] { return hop.open == 0; });
    EXPECT_TRUE(closed) << "idle for longer than mix.link_idle";
    EXPECT_EQ(world.totals().links_known, 0U);
    EXPECT_EQ(hop.streams, 1U);
    EXPECT_TRUE(world.send(hop));
    const bool again = co_await IdleWorld::wait(core, [&] { return hop.bytes == 2 * frame_bytes; });
    EXPECT_TRUE(again) << "the next packet opens it";
    EXPECT_EQ(hop.streams, 2U);
    EXPECT_EQ(world.totals().links.sent, 2U) << "what the closed link sent is still counted";
    EXPECT_EQ(world.totals().links.lost, 0U);
  });
}

TEST(MixIdleLinks, StayOpenWhileTheyCarryPackets) {
  IdleWorld world;
  const bool judged = world.run([&](net::Core& core) -> boost::asio::awaitable<bool> {
    auto& hop = world.busy();
    // On a machine that sleeps longer than the link may be idle nothing is shown: then once more.
    for (int attempt = 0; attempt < 10; ++attempt) {
      const bool came = co_await IdleWorld::wait(core, [&] {
        return world.send(hop) && world.send(world.idle_one()) && world.totals().links_open == 2;
      });
      EXPECT_TRUE(came);
      const auto streams = hop.streams;
      Duration pause_max{};
      auto last = core.clock().now();
      EXPECT_TRUE(world.send(hop));
      // The other link is the clock: when it has been closed for idleness this one had time enough.
      const auto end = last + 20s;
      while (world.totals().links_known == 2 && last < end) {
        (void)co_await net::sleep_until(core, net::after(core, 20ms));
        pause_max = std::max(pause_max, core.clock().now() - last);
        last = core.clock().now();
        EXPECT_TRUE(world.send(hop));
      }
      if (pause_max >= idle) continue;
      EXPECT_LT(last, end) << "the link that carries nothing stays open";
      EXPECT_EQ(world.totals().links_open, 1U);
      EXPECT_EQ(hop.streams, streams);
      EXPECT_EQ(hop.open, 1U);
      co_return true;
    }
    co_return false;
  });
  EXPECT_TRUE(judged) << "this machine never ran for a second without a pause of one";
}

}  // namespace
}  // namespace village::test
