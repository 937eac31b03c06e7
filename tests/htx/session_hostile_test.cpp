// Peers that keep within the letter of each single rule and still try to make the session grow or hang.
#include <algorithm>
#include <array>

#include "htx/raw_peer.hpp"
#include "htx/stream_table.hpp"
#include "support/allocations.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using test::expect_closed;
using test::RawPeer;

TEST(SessionHostile, AFloodOfStreamsRefusedByTheirCreditEndsTheSession) {
  Settings settings;
  settings.peer_streams_max = 0;
  RawPeer peer{Role::client, settings};
  peer.greet();
  for (StreamId id = 3; !peer.end.closed && id < 4 * limits::refusals_max; id += 2) peer.credit(id, 1);
  ASSERT_TRUE(peer.end.closed);
  EXPECT_EQ(peer.end.closed->code, Code::policy_rejected);
}

TEST(SessionHostile, ASlowReaderOfRefusalsMakesNothingGrow) {
  Settings settings;
  settings.peer_streams_max = 0;
  RawPeer peer{Role::client, settings};
  peer.greet();
  auto& session = peer.end.session;
  StreamId id = 3;
  std::uint64_t allocations = 0;
  // 100 streams are refused each round, and 100 resets go out, but 1,000 always wait.
  Bytes out(100 * (frame_overhead_bytes + close_head_bytes));
  for (int round = 0; round < 600; ++round) {
    Bytes in;
    for (const auto last = id + (round == 0 ? 2'200U : 200U); id < last; id += 2) {
      const auto frame = peer.seal(FrameType::stream, id, RawPeer::stream_plaintext(0, {}));
      in.insert(in.end(), frame.begin(), frame.end());
    }
    const auto before = test::allocation_count();
    ASSERT_TRUE(session.receive(in, peer.now));
    ASSERT_EQ(session.poll_transmit(out, peer.now), out.size());
    if (round >= 100) allocations += test::allocation_count() - before;
  }
  EXPECT_EQ(allocations, 0U);
}

TEST(SessionHostile, StreamOneMayNotEndBeforeTheExchangeIsDone) {
  RawPeer peer;
  peer.collect();
  peer.data(1, 0, {}, true);
  expect_closed(peer, Code::malformed_frame);
}

TEST(StreamTable, IdsChosenToCollideSpread) {
  // What boost::unordered_flat_map makes of a hash; the top bits choose the group.
  const auto mix = [](std::uint64_t z) {
    z ^= z >> 23;
    z *= 0xff51'afd7'ed55'8ccd;
    return z ^ z >> 23;
  };
  std::vector<StreamId> ids;
  for (StreamId id = 3; ids.size() < 1'024; id += 2) {
    if (mix(id) >> 57 == 5) ids.push_back(id);
  }
  SeededRandom random{1};
  for (int i = 0; i < 20; ++i) {
    const IdHash hash{random.next() | 1};
    std::array<int, 128> groups{};
    for (const auto id : ids) ++groups.at(mix(hash(id)) >> 57);
    EXPECT_LT(*std::max_element(groups.begin(), groups.end()), 64) << "of 1,024; 8 in the mean";
  }
}

}  // namespace
}  // namespace village::htx
