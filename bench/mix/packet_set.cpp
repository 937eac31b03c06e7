#include "mix/packet_set.hpp"

#include <ctime>

#include "support/report.hpp"
#include "village/base/random.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/payload.hpp"

namespace village::bench {

PacketSet::PacketSet(std::size_t count) : inputs_(count * packet_bytes), outputs_(count * packet_bytes) {
  SeededRandom random{1};
  std::array<sphinx::Hop, 3> hops;
  for (auto& hop : hops) {
    auto pair = crypto::X25519KeyPair::generate(random);
    hop = {pair.public_key, {}, random.u64()};
    random.fill(hop.address);
    if (&hop == &hops.front()) key_ = std::move(pair.private_key);
  }
  Bytes message(sphinx::message_bytes_max(sphinx::limits::payload_bytes_n2048));
  for (std::size_t i = 0; i < count; ++i) {
    random.fill(message);
    must(sphinx::create_packet(hops, {}, {}, message,
                               ByteSpan{inputs_}.subspan(i * packet_bytes, packet_bytes), random)
             .has_value(),
         "a packet cannot be made");
  }
}

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace village::bench
