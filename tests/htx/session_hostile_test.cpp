// Peers that keep within the letter of each single rule and still try to make the session grow or hang.
#include "htx/raw_peer.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

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

}  // namespace
}  // namespace village::htx
