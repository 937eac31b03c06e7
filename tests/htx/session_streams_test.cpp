// Streams, rule by rule, against a peer written by hand.
#include "htx/raw_peer.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using test::expect_closed;
using test::pattern;
using test::RawPeer;
using test::SeenFrame;

TEST(SessionStreams, FirstFrameOpensAndFinHalfCloses) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("ask"), true);
  EXPECT_TRUE(peer.end.opened.contains(3));
  EXPECT_EQ(peer.end.received[3], to_bytes("ask"));
  EXPECT_TRUE(peer.end.finished.contains(3));
  EXPECT_EQ(peer.end.session.statistics().streams_open, 1U);
  EXPECT_EQ(peer.end.session.send(3, as_bytes("answer"), false), 6U);  // our half is still open
  peer.end.session.finish(3);
  const auto frames = peer.collect();
  EXPECT_EQ(RawPeer::data_of(frames, 3), to_bytes("answer"));
  EXPECT_TRUE(parse_stream_frame(frames.back().plaintext)->fin);
  EXPECT_EQ(peer.end.session.statistics().streams_open, 0U);
}

TEST(SessionStreams, FinMayComeAloneAndNeedsNoCredit) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, {});
  const auto all = pattern(limits::stream_credit_start, 1);
  EXPECT_EQ(peer.end.session.send(3, all, false), all.size());
  peer.collect();
  peer.end.session.finish(3);  // the stream's credit is used up
  const auto frames = peer.collect();
  ASSERT_EQ(RawPeer::count(frames, FrameType::stream), 1U);
  const auto last = parse_stream_frame(frames.back().plaintext);
  EXPECT_TRUE(last->fin && last->data.empty());
  EXPECT_EQ(last->offset, all.size());
}

TEST(SessionStreams, DataAfterFinEndsTheSession) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"), true);
  peer.data(3, 1, as_bytes("y"));
  expect_closed(peer, Code::malformed_frame);
}

TEST(SessionStreams, OffsetGapEndsTheSession) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("abc"));
  peer.data(3, 4, as_bytes("d"));
  EXPECT_EQ(peer.end.received[3], to_bytes("abc"));
  expect_closed(peer, Code::malformed_frame);
}

TEST(SessionStreams, OffsetOverlapEndsTheSession) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("abc"));
  peer.data(3, 2, as_bytes("cd"));
  EXPECT_EQ(peer.end.received[3], to_bytes("abc"));
  expect_closed(peer, Code::malformed_frame);
}

TEST(SessionStreams, EvenIdFromTheClientEndsTheSession) {
  RawPeer peer{Role::client};
  peer.greet();
  peer.data(2, 0, as_bytes("x"));
  expect_closed(peer, Code::malformed_frame);
}

TEST(SessionStreams, OddIdFromTheServerEndsTheSession) {
  RawPeer peer{Role::server};
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  expect_closed(peer, Code::malformed_frame);
}

TEST(SessionStreams, FrameOnAnIdThePeerCannotKnowEndsTheSession) {
  RawPeer peer{Role::server};
  peer.greet();
  ASSERT_EQ(*peer.end.session.open(), 3U);  // not announced: nothing was sent on it
  peer.data(3, 0, as_bytes("x"));
  expect_closed(peer, Code::malformed_frame);
}

TEST(SessionStreams, StreamIdZeroEndsTheSession) {
  RawPeer peer;
  peer.greet();
  peer.data(0, 0, as_bytes("x"));
  expect_closed(peer, Code::malformed_frame);
}

TEST(SessionStreams, EndedIdsAreIgnoredAndCounted) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"), true);
  peer.end.session.finish(3);
  peer.collect();
  const auto before = peer.end.session.statistics().frames_ignored;
  peer.data(3, 0, as_bytes("again"));
  peer.credit(3, 10);
  peer.close(3, Code::ok);
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, before + 3);
  EXPECT_EQ(peer.end.received[3], to_bytes("x"));
  EXPECT_FALSE(peer.end.closed);
}

TEST(SessionStreams, SkippedIdsAreUsedUp) {
  RawPeer peer;
  peer.greet();
  peer.data(9, 0, as_bytes("x"));
  peer.data(7, 0, as_bytes("y"));
  EXPECT_FALSE(peer.end.opened.contains(7));
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, 1U);
  EXPECT_FALSE(peer.end.closed);
}

TEST(SessionStreams, ResetOfThePeerEndsBothDirections) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  EXPECT_EQ(peer.end.session.send(3, as_bytes("unsent"), false), 6U);
  peer.close(3, Code::policy_rejected);
  EXPECT_EQ(peer.end.resets.at(3), Code::policy_rejected);
  EXPECT_EQ(peer.end.session.send(3, as_bytes("y"), false), 0U);
  EXPECT_EQ(RawPeer::count(peer.collect(), FrameType::stream), 0U);
  EXPECT_EQ(peer.end.session.statistics().streams_open, 0U);
}

TEST(SessionStreams, ResetOfAStreamNeverSeenUsesItsIdUp) {
  RawPeer peer;
  peer.greet();
  peer.close(5, Code::ok);
  peer.data(5, 0, as_bytes("x"));
  EXPECT_TRUE(peer.end.opened.empty());
  EXPECT_FALSE(peer.end.closed);
}

TEST(SessionStreams, OurResetTellsThePeerAndDropsWhatWaits) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  EXPECT_EQ(peer.end.session.send(3, as_bytes("unsent"), false), 6U);
  peer.end.session.reset(3, Code::unsupported_feature);
  const auto frames = peer.collect();
  EXPECT_EQ(RawPeer::count(frames, FrameType::stream), 0U);
  ASSERT_EQ(RawPeer::count(frames, FrameType::close), 1U);
  for (const auto& frame : frames) {
    if (frame.header.type != FrameType::close) continue;
    EXPECT_EQ(frame.header.stream, 3U);
    EXPECT_EQ(parse_close(frame.plaintext)->code, Code::unsupported_feature);
  }
}

TEST(SessionStreams, ResetBeforeAnnouncementIsSilent) {
  RawPeer peer{Role::server};
  peer.greet();
  const auto first = *peer.end.session.open(), second = *peer.end.session.open();
  peer.end.session.reset(first, Code::ok);
  peer.end.session.send(second, as_bytes("x"), false);
  for (const auto& frame : peer.collect()) EXPECT_NE(frame.header.stream, first);
}

TEST(SessionStreams, IdsReachThePeerInAscendingOrder) {
  RawPeer peer{Role::server};
  peer.greet();
  std::vector<StreamId> ids;
  for (int i = 0; i < 4; ++i)
    ids.push_back(*peer.end.session.open(i == 3 ? Priority::urgent : Priority::bulk));
  peer.end.session.send(ids[1], as_bytes("b"), false);
  peer.end.session.send(ids[3], as_bytes("d"), false);
  StreamId highest = 0;
  std::vector<StreamId> first_frames;
  for (const auto& frame : peer.collect()) {
    if (frame.header.type != FrameType::stream || frame.header.stream <= highest) continue;
    highest = frame.header.stream;
    first_frames.push_back(highest);
  }
  EXPECT_EQ(first_frames, ids);  // 3 and 7 by empty frames
}

TEST(SessionStreams, MoreThanTheLimitAreResetWithPolicyRejected) {
  Settings settings;
  settings.peer_streams_max = 2;
  RawPeer peer{Role::client, settings};
  peer.greet();
  for (StreamId id : {3U, 5U, 7U}) peer.data(id, 0, as_bytes("x"));
  EXPECT_EQ(peer.end.opened, (std::set<StreamId>{3, 5}));
  std::vector<SeenFrame> closes;
  for (auto& frame : peer.collect()) {
    if (frame.header.type == FrameType::close) closes.push_back(frame);
  }
  ASSERT_EQ(closes.size(), 1U);
  EXPECT_EQ(closes[0].header.stream, 7U);
  EXPECT_EQ(parse_close(closes[0].plaintext)->code, Code::policy_rejected);
  // A stream that ended makes room.
  peer.close(3, Code::ok);
  peer.data(9, 0, as_bytes("x"));
  EXPECT_TRUE(peer.end.opened.contains(9));
}

TEST(SessionStreams, OpenIsBusyAtThePeersLimit) {
  RawPeer peer{Role::server};
  peer.greet(2);
  const auto a = peer.end.session.open();
  ASSERT_TRUE(a && peer.end.session.open());
  EXPECT_EQ(peer.end.session.open().error().code, Errc::busy);
  peer.end.session.reset(*a, Code::ok);
  EXPECT_TRUE(peer.end.session.open());
}

TEST(SessionStreams, OpenBeforeThePeersLimitIsKnownIsBounded) {
  RawPeer peer{Role::server};
  for (std::uint32_t i = 0; i < limits::early_streams_max; ++i) ASSERT_TRUE(peer.end.session.open());
  EXPECT_EQ(peer.end.session.open().error().code, Errc::busy);
  peer.greet();
  EXPECT_TRUE(peer.end.session.open());
}

TEST(SessionStreams, AFloodOfRefusedStreamsEndsTheSession) {
  Settings settings;
  settings.peer_streams_max = 0;
  RawPeer peer{Role::client, settings};
  peer.greet();
  for (StreamId id = 3; !peer.end.closed && id < 4 * limits::refusals_max; id += 2) peer.data(id, 0, {});
  ASSERT_TRUE(peer.end.closed);
  EXPECT_EQ(peer.end.closed->code, Code::policy_rejected);
}

TEST(SessionStreams, EndedStreamsThatNobodyReadsAreBounded) {
  RawPeer peer;
  peer.greet();
  peer.end.consumes = false;
  StreamId id = 3;
  for (std::uint32_t i = 0; i < limits::streams_unread_max; ++i, id += 2) {
    peer.data(id, 0, as_bytes("x"), true);
    peer.end.session.finish(id);
    if (i % 64 == 63) peer.collect();
  }
  ASSERT_FALSE(peer.end.closed);
  EXPECT_EQ(peer.end.session.statistics().streams_open, 0U);
  peer.end.opened.clear();
  peer.data(id, 0, as_bytes("x"));
  EXPECT_TRUE(peer.end.opened.empty());  // reset with 9
  EXPECT_EQ(RawPeer::count(peer.collect(), FrameType::close), 1U);
  peer.end.session.consume(3, 1, peer.now);
  peer.data(id + 2, 0, as_bytes("x"));
  EXPECT_TRUE(peer.end.opened.contains(id + 2));
}

}  // namespace
}  // namespace village::htx
