// What a node's worker and links allocate once they are warm: nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "service/mix_core.hpp"
#include "service/tunnel_stream.hpp"
#include "support/allocations.hpp"
#include "tunnel_world.hpp"
#include "village/mix/frame.hpp"
#include "village/mix/node_keys.hpp"
#include "village/net/clock.hpp"
#include "village/sphinx/create.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;

#ifdef BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
constexpr bool frames_recycled = false;
#else
constexpr bool frames_recycled = true;
#endif

constexpr auto frame_bytes = mix::frame_bytes(mix::Profile::n2048);
constexpr std::size_t rounds = 8, round_frames = 128, frames_total = rounds * round_frames;

sphinx::NodeAddress address(unsigned number) {
  return sphinx::node_address(Ipv4Address{std::byte{10}, std::byte{0}, std::byte{3}, std::byte(number)},
                              9'001);
}

/// SteadyWorld is a mix on the servers' core between a sink there and a generator on the clients' core.
class SteadyWorld final : private service::StreamSink {
 public:
  SteadyWorld()
      : node_{world_.node("node", servers)},
        sink_{world_.node("sink", servers)},
        generator_{world_.node("generator", clients)} {
    world_.listens(node_, service::Outer::none);
    world_.listens(sink_, service::Outer::none);
    world_.knows(node_, generator_, true);
    world_.knows(node_, sink_, false);
    world_.knows(sink_, node_, true);
    world_.knows(generator_, node_, false);
    for (auto* each : {&sink_, &node_, &generator_}) world_.start(*each);
    make_frames();
    world_.run(servers, [this](net::Core& core) -> asio_void {
      start(core);
      co_return;
    });
  }
  ~SteadyWorld() {
    world_.run(clients, [this](net::Core&) -> asio_void {
      stream_.reset();
      co_return;
    });
    world_.run(servers, [this](net::Core& core) -> asio_void {
      co_await mix_->drain(core.clock().now());
      mix_.reset();
      sink_stream_.reset();
    });
  }
  SteadyWorld(const SteadyWorld&) = delete;
  SteadyWorld& operator=(const SteadyWorld&) = delete;

  void connect() {
    world_.run(clients, [this](net::Core& core) -> asio_void {
      auto opened = co_await generator_.tunnel->open("node", htx::Service::mix, net::after(core, 20s));
      EXPECT_TRUE(opened);
      if (opened) stream_ = *std::move(opened);
    });
  }
  /// round sends a round's frames a few at a time and gives what the servers' core allocated meanwhile.
  std::uint64_t round() {
    std::atomic<bool> go{false};
    world_.runtime().spawn_on(clients, [this, &go](net::Core& core) -> asio_void {
      while (!go) (void)co_await net::sleep_until(core, net::after(core, 200us));
      for (std::size_t i = 0; i < round_frames; i += 4, next_ += 4) {
        const auto piece = ByteView{frames_}.subspan(next_ * frame_bytes, 4 * frame_bytes);
        (void)co_await stream_->write_all(piece);
        (void)co_await net::sleep_until(core, net::after(core, 300us));
      }
    });
    return world_.run(servers, [&](net::Core& core) -> boost::asio::awaitable<std::uint64_t> {
      const auto want = taken_ + round_frames * frame_bytes;
      const auto deadline = net::after(core, 60s);
      (void)co_await net::sleep_until(core, net::after(core, 2ms));
      const auto before = allocation_count();
      go = true;
      while (taken_ < want && core.clock().now() < deadline)
        (void)co_await net::sleep_until(core, net::after(core, 500us));
      const auto made = allocation_count() - before;
      EXPECT_EQ(taken_, want);
      co_return made;
    });
  }

 private:
  void take(ByteView bytes) override { taken_ += bytes.size(); }

  void make_frames() {
    options_.epochs.length = std::chrono::hours{24 * 30};
    options_.rate = {1'000'000, 100'000, 1, 0};
    mix::NodeKeys made{options_.epochs, crypto::VrfKeyPair::generate(random_)};
    keys_ = made.generate(options_.epochs.at(net::SystemClock{}.wall()), random_);
    const auto other = crypto::X25519KeyPair::generate(random_);
    Bytes message(1'000);
    for (std::size_t i = 0; i < frames_total; ++i) {
      const auto frame = ByteSpan{frames_}.subspan(i * frame_bytes, frame_bytes);
      const std::array<sphinx::Hop, 2> hops{
          {{keys_->sphinx_public, address(0), 1'000'000}, {other.public_key, address(1), 0}}};
      ASSERT_TRUE(
          sphinx::create_packet(hops, {}, {}, message, frame.subspan(mix::frame_header_bytes), random_));
      mix::write_frame_header(mix::Profile::n2048, mix::Epochs::rotation(keys_->epoch),
                              frame.first<mix::frame_header_bytes>());
    }
  }

  void start(net::Core& core) {
    service::StreamService service;
    service.admits = [](const auto&) { return true; };
    service.serve = [this](crypto::Ed25519Public, std::shared_ptr<service::TunnelStream> stream) {
      return drink(std::move(stream));
    };
    sink_.tunnel->use_service(htx::Service::mix, std::move(service));

    service::MixCore::Hooks hooks;
    hooks.delivered = [](const mix::Delivered&) {};
    hooks.wake = [](std::uint64_t) {};
    hooks.is_client = [](const crypto::Ed25519Public&) { return false; };
    mix_ = std::make_unique<service::MixCore>(core, *node_.tunnel, options_, mesh_, 0, std::move(hooks));
    auto table = std::make_shared<service::MixNeighbours>();
    for (auto* each : {&generator_, &sink_}) {
      const auto index = static_cast<mix::NeighbourIndex>(table->by_index.size());
      service::MixNeighbour neighbour;
      neighbour.key = each->identity->public_key;
      neighbour.peer = each->name;
      neighbour.address = address(index);
      table->by_key[neighbour.key] = index;
      table->by_index.push_back(neighbour);
    }
    table->routes = std::make_shared<const mix::RouteTable>(
        std::vector<mix::RouteTable::Route>{{address(1), 1}}, random_);
    mix_->set_neighbours(table);
    auto shard = std::make_unique<mix::ReplayShard>(mix::ReplayFilter{1}, nullptr);
    ASSERT_TRUE(mix_->install(keys_, std::move(shard)));
    mix_->start();
  }
  asio_void drink(std::shared_ptr<service::TunnelStream> stream) {
    sink_stream_ = stream;
    service::StreamSink& sink = *this;
    stream->set_sink(&sink);
    (void)co_await stream->wait_over();
    stream->set_sink(nullptr);
  }

  SeededRandom random_{20261121};
  service::MixOptions options_;
  mix::EpochKeysPtr keys_;
  Bytes frames_ = Bytes(frames_total * frame_bytes);
  std::size_t next_ = 0;   // of the generator
  std::size_t taken_ = 0;  // of the sink
  mix::WorkerMesh mesh_{1};
  TunnelWorld world_;
  Node &node_, &sink_, &generator_;
  std::unique_ptr<service::MixCore> mix_;
  std::shared_ptr<service::TunnelStream> stream_, sink_stream_;
};

TEST(MixCore, AWarmNodeAllocatesNothingForAPacket) {
  SteadyWorld world;
  world.connect();
  std::vector<std::uint64_t> made;
  for (std::size_t i = 0; i < rounds; ++i) made.push_back(world.round());
  if (!frames_recycled) GTEST_SKIP() << "a sanitizer sees each coroutine frame: none is recycled";
  // The core's timers, metrics and PINGs may take a block now and then; a packet never does.
  EXPECT_EQ(*std::min_element(made.begin() + 1, made.end()), 0U) << testing::PrintToString(made);
  EXPECT_LT(made.back(), round_frames / 8) << testing::PrintToString(made);
}

}  // namespace
}  // namespace village::test
