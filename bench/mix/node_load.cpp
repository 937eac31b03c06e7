#include "mix/node_load.hpp"

#include <algorithm>

#include "support/report.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/unwrap.hpp"

namespace village::bench {
namespace {

sphinx::NodeAddress address(unsigned number) {
  return sphinx::node_address(Ipv4Address{std::byte{10}, std::byte{0}, std::byte{1}, std::byte(number)},
                              9'001);
}

}  // namespace

NodeLoad::NodeLoad(std::size_t packets) : count_{packets}, frames_(packets * frame_bytes), wishes_(packets) {
  mix::NodeKeys keys{options().epochs, crypto::VrfKeyPair::generate(random_)};
  keys_ = keys.generate(options().epochs.at(wall_), random_);
  std::vector<mix::RouteTable::Route> routes;
  for (unsigned i = 0; i < 16; ++i) routes.push_back({address(i), i});
  routes_ = std::make_shared<mix::RouteTable>(routes, random_);
  const auto others =
      std::array{crypto::X25519KeyPair::generate(random_), crypto::X25519KeyPair::generate(random_)};
  const auto delays = mix::DelayDistribution::exponential(std::chrono::milliseconds{50}).value();
  Bytes message(1'600);
  for (std::size_t i = 0; i < packets; ++i) {
    wishes_[i] = static_cast<std::uint64_t>(delays.draw(random_.unit()).count());
    random_.fill(message);
    const auto frame = ByteSpan{frames_}.subspan(i * frame_bytes, frame_bytes);
    const std::array<sphinx::Hop, 3> hops{{{keys_->sphinx_public, address(100), wishes_[i]},
                                           {others[0].public_key, address(i % 16), 20'000'000},
                                           {others[1].public_key, address(101), 0}}};
    must(sphinx::create_packet(hops, {}, {}, message, frame.subspan(mix::frame_header_bytes), random_)
             .has_value(),
         "no packet");
    mix::write_frame_header(mix::Profile::n2048, mix::Epochs::rotation(keys_->epoch),
                            frame.first<mix::frame_header_bytes>());
  }
}

mix::WorkerOptions NodeLoad::options() const {
  mix::WorkerOptions options;
  options.neighbours = 16;
  options.held_packets = 65'536;
  options.rates = mix::RateRules{0, 1, 0, 1};  // admission is asked, and lets everything through
  return options;
}

void NodeLoad::install(mix::Worker& worker) {
  must(worker.install(keys_, std::make_unique<mix::ReplayShard>(mix::ReplayFilter{8}, nullptr)).has_value(),
       "no room");
  worker.set_routes(routes_);
}

Bytes NodeLoad::unwrapped(std::size_t i) const {
  Bytes result(frame_bytes);
  std::ranges::copy(frame(i), result.begin());
  sphinx::Unwrapped found;
  must(sphinx::unwrap(keys_->sphinx_private, 1'700, ByteSpan{result}.subspan(mix::frame_header_bytes),
                      found) == sphinx::Reject::none,
       "unwrap refuses");
  return result;
}

}  // namespace village::bench
