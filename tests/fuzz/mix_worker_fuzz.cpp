// A whole worker, driven by an input of operations: whatever comes, its books balance.
//
//   0-3  one of 16 valid frames (1 byte), with a byte changed if the next is not 0: offset 2, xor 1
//   4    a frame of raw bytes: length 2, bytes       5    time passes: 16 bits of 10 us, then run
//   6    run and take everything out                 7    run and drop what comes out
//   8    the wall clock jumps: signed 16 bits of s   9    the key goes, and comes back with a new filter
//   10   routes go and come                          11   stop, or abandon
#include <algorithm>
#include <array>
#include <vector>

#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/mix/worker.hpp"
#include "village/sphinx/create.hpp"

using namespace village;
using namespace village::mix;

namespace {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_{as_bytes(data, size)} {}
  bool empty() const { return rest_.empty(); }
  unsigned number(int bytes) {
    unsigned value = 0;
    for (; bytes > 0; --bytes) {
      value = value << 8 | (rest_.empty() ? 0U : std::to_integer<unsigned>(rest_[0]));
      if (!rest_.empty()) rest_ = rest_.subspan(1);
    }
    return value;
  }
  ByteView bytes(std::size_t count) {
    const auto piece = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    return piece;
  }

 private:
  ByteView rest_;
};

sphinx::NodeAddress address(unsigned i) {
  return sphinx::node_address(Ipv4Address{std::byte{10}, std::byte{1}, std::byte{1}, std::byte(i)}, 9'001);
}

/// World is what stays the same for all inputs.
struct World {
  SeededRandom random{77};
  Epochs epochs{std::chrono::seconds{30}, std::chrono::seconds{10}};
  NodeKeys keys{epochs, crypto::VrfKeyPair::generate(random)};
  WallTime wall{std::chrono::seconds{3'000}};
  EpochKeysPtr key = keys.generate(100, random);
  std::shared_ptr<const RouteTable> routes =
      std::make_shared<RouteTable>(std::vector<RouteTable::Route>{{address(0), 0}, {address(1), 1}}, random);
  std::vector<Bytes> frames;
  World() {
    const auto next = crypto::X25519KeyPair::generate(random).public_key;
    const std::array<std::uint64_t, 4> delays{0, 1'000'000, 20'000'000'000, std::uint64_t{1} << 63};
    for (unsigned i = 0; i < 16; ++i) {
      std::vector<sphinx::Hop> hops{{key->sphinx_public, address(9), delays[i % 4]}};
      if (i < 12) hops.push_back({next, address(i % 3), 0});  // the third is no neighbour
      Bytes frame(frame_bytes(Profile::n2048));
      VG_CHECK(sphinx::create_packet(hops, {}, {}, as_bytes("hello"),
                                     ByteSpan{frame}.subspan(frame_header_bytes), random));
      write_frame_header(Profile::n2048, Epochs::rotation(100), std::span{frame}.first<frame_header_bytes>());
      frames.push_back(std::move(frame));
    }
  }
};

class Run {
 public:
  explicit Run(World& world) : world_{world} {
    WorkerOptions options;
    options.epochs = world.epochs;
    options.neighbours = 2;
    options.ingress_packets = 40;
    options.held_packets = 64;
    options.batch_packets = 16;
    worker_ = std::make_unique<Worker>(options, mesh_, 0, world.random, now_);
    worker_->set_routes(world.routes);
    install();
  }

  void operate(Input& input) {
    switch (input.number(1) % 12) {
      case 4:
        return submit(to_bytes(input.bytes(input.number(2) % 2'100)));
      case 5:
        now_ += std::chrono::microseconds{10} * input.number(2);
        break;
      case 6:
        return take(true);
      case 7:
        return take(false);
      case 8:
        wall_ = world_.wall + std::chrono::seconds{static_cast<std::int16_t>(input.number(2))};
        break;
      case 9:
        worker_->remove(100);
        if (input.number(1) % 2 == 0) install();
        break;
      case 10:
        worker_->set_routes(input.number(1) % 2 == 0 ? world_.routes : nullptr);
        break;
      case 11:
        if (input.number(1) % 8 == 0) worker_->stop();
        if (input.number(1) % 8 == 0) worker_->abandon();
        break;
      default:
        return valid(input);
    }
    worker_->run(now_);
    balance();
  }

 private:
  void install() {
    VG_CHECK(worker_->install(world_.key, std::make_unique<ReplayShard>(ReplayFilter{1, 1'024}, nullptr)));
  }
  void valid(Input& input) {
    auto frame = world_.frames[input.number(1) % world_.frames.size()];
    if (input.number(1) != 0) {
      const auto at = input.number(2) % frame.size();
      frame[at] ^= std::byte(input.number(1));
    }
    submit(frame);
  }
  void submit(const Bytes& frame) {
    worker_->submit(0, frame, now_, wall_);
    if (worker_->batch_full()) worker_->run(now_);
    balance();
  }
  void take(bool keep) {
    worker_->run(now_);
    std::array<Released, 3> released;
    for (std::size_t count; (count = worker_->poll_released(released)) > 0;)
      for (const auto& item : std::span{released}.first(count)) {
        VG_CHECK(item.next < 2 && item.frame.size() == frame_bytes(Profile::n2048));
        keep ? worker_->done(item.held) : worker_->drop(item.held, Drop::ring);
      }
    std::array<Delivered, 3> delivered;
    for (std::size_t count; (count = worker_->poll_delivered(delivered)) > 0;)
      for (const auto& item : std::span{delivered}.first(count)) {
        VG_CHECK(item.payload.size() == 1'700);
        keep ? worker_->done(item.held) : worker_->drop(item.held, Drop::payload);
      }
    balance();
  }
  void balance() {
    const auto& c = worker_->counters();
    VG_CHECK(c.received == c.forwarded + c.delivered + c.abandoned + c.drops.total() + worker_->in_flight());
    VG_CHECK(worker_->replay_tags() <= 1'024);
  }

  World& world_;
  WorkerMesh mesh_{1};
  Instant now_{std::chrono::hours{1}};
  WallTime wall_ = world_.wall;
  std::unique_ptr<Worker> worker_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  Input input{data, std::min<std::size_t>(size, 4'096)};
  Run run{world};
  while (!input.empty()) run.operate(input);
  return 0;
}
