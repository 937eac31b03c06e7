// Datagrams: outside credit and order, dropped rather than queued without end.
#include "htx/raw_peer.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using test::expect_closed;
using test::Pair;
using test::pattern;
using test::RawPeer;

struct OpenPair : Pair {
  OpenPair() {
    stream = *client.session.open(Priority::urgent);
    client.session.send(stream, as_bytes("\x02"), false);
    pump();
  }
  StreamId stream = 0;
};

TEST(Datagram, CrossesBothWays) {
  OpenPair pair;
  ASSERT_TRUE(pair.client.session.send_datagram(pair.stream, as_bytes("to "), as_bytes("you")));
  ASSERT_TRUE(pair.client.session.send_datagram(pair.stream, {}, {}));
  pair.pump();
  EXPECT_EQ(pair.server.datagrams[pair.stream], (std::vector<Bytes>{to_bytes("to you"), {}}));
  ASSERT_TRUE(pair.server.session.send_datagram(pair.stream, {}, as_bytes("back")));
  pair.pump();
  EXPECT_EQ(pair.client.datagrams[pair.stream], std::vector<Bytes>{to_bytes("back")});
  EXPECT_EQ(pair.client.session.statistics().datagrams_out, 2U);
  EXPECT_EQ(pair.client.session.statistics().datagrams_in, 1U);
}

TEST(Datagram, NeedsNoCredit) {
  RawPeer peer;
  peer.greet();
  peer.data(4'001, 0, as_bytes("x"));
  auto& session = peer.end.session;
  session.send(4'001, pattern(200'000, 1), false);  // all credit of stream and connection is used up
  peer.collect();
  ASSERT_TRUE(session.send_datagram(4'001, {}, as_bytes("x")));
  EXPECT_TRUE(session.wants_transmit());
  EXPECT_EQ(RawPeer::count(peer.collect(), FrameType::datagram), 1U);
  EXPECT_FALSE(session.wants_transmit());
}

TEST(Datagram, TheLargestFitsAndOneMoreDoesNot) {
  OpenPair pair;
  const auto data = pattern(datagram_bytes_max, 1);
  ASSERT_TRUE(pair.client.session.send_datagram(pair.stream, {}, data));
  EXPECT_EQ(pair.client.session.send_datagram(pair.stream, as_bytes("x"), data).error().code,
            Errc::limit_exceeded);
  pair.pump();
  ASSERT_EQ(pair.server.datagrams[pair.stream].size(), 1U);
  EXPECT_EQ(pair.server.datagrams[pair.stream][0], data);
}

TEST(Datagram, MoreThan64KiBOfAStreamAndOneMiBInAllAreDroppedAndCounted) {
  Pair pair;
  pair.pump();
  std::vector<StreamId> streams;
  for (int i = 0; i < 40; ++i) {
    streams.push_back(*pair.client.session.open());
    pair.client.session.send(streams.back(), as_bytes("x"), false);
  }
  pair.pump();
  const auto data = pattern(1'024, 1);
  std::size_t taken = 0;
  for (const auto stream : streams) {
    for (int i = 0; i < 100; ++i) {
      const auto queued = pair.client.session.send_datagram(stream, {}, data);
      EXPECT_TRUE(queued || queued.error().code == Errc::busy);
      taken += queued ? 1 : 0;
    }
  }
  EXPECT_LE(taken * 1'024, limits::session_datagram_bytes_max);
  EXPECT_GE(taken, 15U * 64);
  EXPECT_EQ(pair.client.session.statistics().datagrams_dropped, 4'000 - taken);
  pair.pump();
  std::size_t arrived = 0;
  for (const auto stream : streams) {
    EXPECT_LE(pair.server.datagrams[stream].size(), 64U);
    arrived += pair.server.datagrams[stream].size();
  }
  EXPECT_EQ(arrived, taken);
}

TEST(Datagram, EndsWithItsStream) {
  OpenPair pair;
  auto& session = pair.client.session;
  ASSERT_TRUE(session.send_datagram(pair.stream, {}, as_bytes("before")));
  session.finish(pair.stream);
  EXPECT_EQ(session.send_datagram(pair.stream, {}, as_bytes("behind")).error().code, Errc::closed);
  pair.pump();
  EXPECT_EQ(session.send_datagram(99, {}, as_bytes("x")).error().code, Errc::closed);
  ASSERT_TRUE(pair.server.session.send_datagram(pair.stream, {}, as_bytes("still open this way")));
  pair.server.session.reset(pair.stream, Code::ok);
  pair.pump();
  EXPECT_TRUE(pair.client.datagrams[pair.stream].empty()) << "what waited went with the stream";
}

TEST(Datagram, OfAResetStreamAreTakenOutFromBetween) {
  Pair pair;
  pair.pump();
  std::vector<StreamId> streams;
  for (int i = 0; i < 4; ++i) {
    streams.push_back(*pair.client.session.open());
    pair.client.session.send(streams.back(), as_bytes("x"), false);
  }
  pair.pump();
  for (std::size_t i = 0; i < 160; ++i)
    ASSERT_TRUE(pair.client.session.send_datagram(streams[i % 4], {}, pattern(i * 7 % 900, i)));
  pair.client.session.reset(streams[0], Code::ok);
  pair.client.session.reset(streams[2], Code::ok);
  pair.pump();
  EXPECT_TRUE(pair.server.datagrams[streams[0]].empty());
  EXPECT_TRUE(pair.server.datagrams[streams[2]].empty());
  ASSERT_EQ(pair.server.datagrams[streams[1]].size(), 40U);
  ASSERT_EQ(pair.server.datagrams[streams[3]].size(), 40U);
  for (std::size_t i = 0; i < 40; ++i)
    EXPECT_EQ(pair.server.datagrams[streams[3]][i], pattern((4 * i + 3) * 7 % 900, 4 * i + 3));
}

TEST(Datagram, WaitsUntilThePeerKnowsTheStream) {
  Pair pair;
  pair.pump();
  const auto stream = *pair.client.session.open();
  EXPECT_EQ(pair.client.session.send_datagram(stream, {}, as_bytes("x")).error().code, Errc::busy);
}

TEST(Datagram, ForStreamsThatAreNotThereIsIgnoredAndOpensNone) {
  RawPeer peer;
  peer.greet();
  peer.send(FrameType::datagram, 3, as_bytes("x"));
  EXPECT_TRUE(peer.end.opened.empty());
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, 1U);
  peer.data(3, 0, as_bytes("x"), true);
  peer.send(FrameType::datagram, 3, as_bytes("behind the FIN"));
  EXPECT_TRUE(peer.end.datagrams.empty());
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, 2U);
  peer.send(FrameType::datagram, 2, as_bytes("never opened by us"));
  expect_closed(peer, Code::malformed_frame);
}

TEST(Datagram, DoesNotStopStreamsAndStreamsDoNotStopIt) {
  Pair pair;
  pair.pump();
  const auto udp = *pair.client.session.open(Priority::urgent),
             bulk = *pair.client.session.open(Priority::bulk);
  pair.client.session.send(udp, as_bytes("x"), false);
  pair.client.session.send(bulk, as_bytes("x"), false);
  pair.pump();
  const auto data = pattern(1'200, 1);
  Bytes out(65'536);
  for (int round = 0; round < 20; ++round) {
    pair.client.session.send(bulk, pattern(200'000, 2), false);
    while (pair.client.session.send_datagram(udp, {}, data)) {
    }
    const auto size = pair.client.session.poll_transmit(out, pair.now);
    pair.server.take(ByteView{out}.first(size), pair.now);
    pair.client.take(pair.server.give(pair.now), pair.now);
  }
  const auto stream_bytes = pair.server.received[bulk].size();
  const auto datagram_bytes = pair.server.datagrams[udp].size() * data.size();
  EXPECT_GT(stream_bytes, 20U * 65'536 / 4);
  EXPECT_GT(datagram_bytes, 20U * 65'536 / 4);
}

TEST(Datagram, HasNoUseForTheAadField) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  peer.send(FrameType::datagram, 3, as_bytes("x"), 1);
  expect_closed(peer, Code::malformed_frame);
}

}  // namespace
}  // namespace village::htx
