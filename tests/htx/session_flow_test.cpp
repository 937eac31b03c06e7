// Credit both ways, growth of windows, back pressure, and who is served first.
#include "htx/credit.hpp"
#include "htx/raw_peer.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using namespace std::chrono_literals;
using test::expect_closed;
using test::Pair;
using test::pattern;
using test::RawPeer;

/// send_all sends `bytes` on `stream` in full frames from `offset` on.
void send_all(RawPeer& peer, StreamId stream, std::uint64_t offset, std::size_t bytes) {
  const auto data = pattern(bytes, stream);
  for (std::size_t at = 0; at < bytes; at += 16'384) {
    peer.data(stream, offset + at, ByteView{data}.subspan(at, std::min<std::size_t>(16'384, bytes - at)));
  }
}

// --- what the peer may send

TEST(SessionCredit, StreamOverrunIsAViolation) {
  RawPeer peer;
  peer.greet();
  peer.end.consumes = false;
  send_all(peer, 3, 0, 262'144);
  EXPECT_FALSE(peer.end.closed);
  peer.data(3, 262'144, as_bytes("x"));
  EXPECT_EQ(peer.end.received[3].size(), 262'144U);
  expect_closed(peer, Code::flow_control_violation);
  EXPECT_EQ(peer.end.error->code, Errc::flow_control);
}

TEST(SessionCredit, ConnectionOverrunIsAViolation) {
  Settings settings;
  settings.stream_window_start = settings.stream_window_max = limits::stream_credit_start;
  settings.connection_window_start = settings.connection_window_max = limits::connection_credit_start;
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.end.consumes = false;
  send_all(peer, 3, 0, 32'000);
  send_all(peer, 5, 0, 32'000);
  EXPECT_FALSE(peer.end.closed);
  send_all(peer, 7, 0, 2'000);
  expect_closed(peer, Code::flow_control_violation);
}

TEST(SessionCredit, SumAboveTheMaximumIsAViolation) {
  for (const StreamId stream : {0U, 3U}) {
    RawPeer peer;
    peer.greet();
    peer.data(3, 0, as_bytes("x"));
    const auto start = stream == 0 ? limits::connection_credit_start : limits::stream_credit_start;
    peer.credit(stream, limits::credit_max - start);
    EXPECT_FALSE(peer.end.closed);
    peer.credit(stream, stream == 0 ? 1'000 : 1);
    expect_closed(peer, Code::flow_control_violation);
  }
}

TEST(SessionCredit, ComesBackWhenTheApplicationConsumedHalf) {
  RawPeer peer;
  peer.greet();
  peer.end.consumes = false;
  send_all(peer, 3, 0, 200'000);
  peer.collect();
  EXPECT_EQ(RawPeer::credit_told(peer.collect(), 3), 0U);  // receipt alone gives nothing back
  peer.end.session.consume(3, 131'071, peer.now);
  EXPECT_EQ(RawPeer::credit_told(peer.collect(), 3), 0U);
  peer.end.session.consume(3, 1, peer.now);
  EXPECT_EQ(RawPeer::credit_told(peer.collect(), 3), 131'072U);
}

TEST(SessionCredit, NothingIsToldForAStreamThatEnded) {
  RawPeer peer;
  peer.greet();
  peer.end.consumes = false;
  peer.data(3, 0, {});
  peer.collect();
  send_all(peer, 3, 0, 200'000);
  peer.data(3, 200'000, {}, true);
  peer.end.session.consume(3, 200'000, peer.now);
  EXPECT_EQ(RawPeer::credit_told(peer.collect(), 3), 0U);
  peer.data(5, 0, {});
  peer.collect();
  send_all(peer, 5, 0, 200'000);
  peer.end.session.consume(5, 200'000, peer.now);  // credit waits to be told when FIN comes
  peer.data(5, 200'000, {}, true);
  EXPECT_EQ(RawPeer::credit_told(peer.collect(), 5), 0U);
}

TEST(SessionCredit, ResetGivesBackWhatIsUnreadAndLate) {
  for (const bool ours : {false, true}) {
    Settings settings;
    settings.connection_window_start = settings.connection_window_max = 1 << 20;
    RawPeer peer{Role::client, settings};
    peer.greet();
    peer.end.consumes = false;
    std::uint64_t sent = 0;
    // Without the credit of reset streams the window of 1 MiB would be used up after four of them.
    for (StreamId id = 3; id < 3 + 2 * 40; id += 2) {
      send_all(peer, id, 0, 200'000);
      if (ours) {
        peer.end.session.reset(id, Code::ok);
        send_all(peer, id, 200'000, 60'000);  // was on its way
      } else {
        peer.close(id, Code::ok);
      }
      sent += ours ? 260'000 : 200'000;
      ASSERT_FALSE(peer.end.closed) << sent;
    }
    // Credit told is what was sent, but for less than half a window.
    const auto told = RawPeer::credit_told(peer.collect(), 0);
    EXPECT_GE(told + (1 << 19), sent);
    EXPECT_LE(told, sent);
  }
}

TEST(SessionCredit, ConsumingAfterAResetChangesNothing) {
  RawPeer peer;
  peer.greet();
  peer.end.consumes = false;
  send_all(peer, 3, 0, 200'000);
  peer.close(3, Code::ok);
  peer.collect();
  peer.end.session.consume(3, 200'000, peer.now);
  EXPECT_EQ(RawPeer::credit_told(peer.collect(), 0), 0U);
}

TEST(SessionCredit, UnreadDataKeepsTheStateOfAnEndedStream) {
  RawPeer peer;
  peer.greet();
  peer.end.consumes = false;
  send_all(peer, 3, 0, 300);
  peer.data(3, 300, {}, true);
  peer.end.session.finish(3);
  peer.collect();
  EXPECT_EQ(peer.end.session.statistics().streams_open, 0U);
  for (StreamId id = 5; id < 200; id += 2) {
    peer.data(id, 0, pattern(1'000, id), true);
    peer.end.session.finish(id);
    peer.collect();
    peer.end.session.consume(id, 1'000, peer.now);
  }
  peer.end.session.consume(3, 300, peer.now);
  EXPECT_FALSE(peer.end.closed);
}

// --- growth

/// largest_grant feeds one stream with half a window of data at a time, each consumed at once and followed by
/// `pause`, and gives the largest credit that the stream ever had.
std::uint64_t largest_grant(Settings settings, Duration pause) {
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.data(3, 0, {});
  peer.collect();
  std::uint64_t offset = 0, allowed = settings.stream_window_start, largest = allowed;
  for (int i = 0; i < 60; ++i) {
    peer.now += pause;
    peer.end.received.clear();
    for (std::uint64_t left = largest / 2; left > 0;) {
      const auto piece = std::min<std::uint64_t>(left, 65'000);
      send_all(peer, 3, offset, piece);
      offset += piece;
      left -= piece;
    }
    allowed += RawPeer::credit_told(peer.collect(), 3);
    largest = std::max(largest, allowed - offset);
    EXPECT_FALSE(peer.end.closed);
  }
  return largest;
}

TEST(SessionWindow, DoublesWhileHalfIsConsumedWithinTwoRoundTrips) {
  Settings settings;
  settings.handshake_rtt = 50ms;
  settings.stream_window_max = 4 << 20;
  EXPECT_EQ(largest_grant(settings, 99ms), 4U << 20);
}

TEST(SessionWindow, StaysWhenTheStreamIsSlow) {
  Settings settings;
  settings.handshake_rtt = 50ms;
  EXPECT_EQ(largest_grant(settings, 100ms), 262'144U);
}

TEST(SessionWindow, OfTheConnectionIsAtLeastTwiceTheLargestStreams) {
  Settings settings;
  settings.stream_window_start = 2 << 20;
  RawPeer peer{Role::client, settings};
  auto told = RawPeer::credit_told(peer.collect(), 0);
  EXPECT_EQ(told, (1U << 20) - limits::connection_credit_start);
  peer.data(3, 0, {});
  told += RawPeer::credit_told(peer.collect(), 0);
  EXPECT_EQ(told, (4U << 20) - limits::connection_credit_start);
}

TEST(SessionWindow, OfTheConnectionGrowsUnderSlowReadersUpToItsBound) {
  Settings settings;
  settings.connection_window_max = 4 << 20;
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.end.consumes = false;
  std::uint64_t told = 0, sent = 0;
  for (StreamId id = 3; id < 3 + 2 * 16; id += 2) {
    const auto room =
        limits::connection_credit_start + told + (1 << 20) - limits::connection_credit_start - sent;
    if (room < 200'000) break;
    send_all(peer, id, 0, 200'000);
    sent += 200'000;
    told += RawPeer::credit_told(peer.collect(), 0);
    ASSERT_FALSE(peer.end.closed);
  }
  EXPECT_EQ(sent, 3'200'000U);
  EXPECT_GE(told, 3U << 20);
  EXPECT_LE(told, (3U << 20) + 1'000);  // and the capabilities that were read
}

TEST(ReceiveWindow, KeepsItsBooks) {
  Instant now{1h};
  ReceiveWindow window{1'000, now};
  EXPECT_FALSE(window.receive(1'001));
  EXPECT_TRUE(window.receive(1'000));
  EXPECT_FALSE(window.receive(1));
  EXPECT_EQ(window.consume(499, now, 0s, 8'000), 0U);
  EXPECT_EQ(window.consume(1, now, 0s, 8'000), 500U);      // no round trip known: no growth
  EXPECT_EQ(window.consume(500, now, 1s, 8'000), 1'500U);  // at once: 2,000 now
  EXPECT_EQ(window.window(), 2'000U);
  EXPECT_EQ(window.consume(5'000, now, 1s, 8'000), 0U);  // more than there is counts for nothing
  EXPECT_EQ(window.unread(), 0U);
  EXPECT_EQ(window.granted() - window.received(), 2'000U);
  EXPECT_EQ(window.raise(1'500, now), 0U);
  EXPECT_EQ(window.raise(3'000, now), 1'000U);
}

// --- sending within credit

TEST(SessionSending, KeepsToTheCreditAndAvoidsSillyWindows) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, {});
  auto& session = peer.end.session;
  session.send(3, pattern(32'268, 1), false);
  EXPECT_EQ(RawPeer::data_of(peer.collect(), 3).size(), 32'268U);
  session.send(3, pattern(5'000, 2), false);  // 500 bytes of credit are left
  EXPECT_EQ(RawPeer::data_of(peer.collect(), 3).size(), 0U);
  EXPECT_FALSE(session.wants_transmit());
  peer.credit(3, 100);
  EXPECT_EQ(RawPeer::data_of(peer.collect(), 3).size(), 0U);
  peer.credit(3, 500);
  EXPECT_EQ(RawPeer::data_of(peer.collect(), 3).size(), 1'100U);
  peer.credit(3, 3'950);
  EXPECT_EQ(RawPeer::data_of(peer.collect(), 3).size(), 3'900U);
  session.send(3, as_bytes("0123456789"), false);  // small credit is enough for all that waits
  EXPECT_EQ(RawPeer::data_of(peer.collect(), 3).size(), 10U);
  EXPECT_EQ(session.unsent(3), 0U);
}

TEST(SessionSending, ConnectionCreditStopsAllStreams) {
  RawPeer peer;
  peer.greet();
  std::size_t sent = 0;
  for (const StreamId id : {3U, 5U, 7U}) {
    peer.data(id, 0, {});
    peer.end.session.send(id, pattern(30'000, id), false);
  }
  for (const auto& frame : peer.collect()) {
    if (frame.header.type == FrameType::stream) sent += parse_stream_frame(frame.plaintext)->data.size();
  }
  EXPECT_LE(sent, limits::connection_credit_start);
  EXPECT_GT(sent, limits::connection_credit_start - 2'000);
  EXPECT_FALSE(peer.end.session.wants_transmit());
  peer.credit(0, 100'000);
  EXPECT_TRUE(peer.end.session.wants_transmit());
  for (const auto& frame : peer.collect()) {
    if (frame.header.type == FrameType::stream) sent += parse_stream_frame(frame.plaintext)->data.size();
  }
  EXPECT_EQ(sent, 90'000U);
}

TEST(SessionSending, SendTakesWhatFitsAndTellsWhenThereIsRoom) {
  Settings settings;
  settings.send_buffer_bytes = 50'000;
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.data(3, 0, {});
  auto& session = peer.end.session;
  EXPECT_EQ(session.send_room(3), 50'000U);
  EXPECT_EQ(session.send(3, pattern(60'000, 1), true), 50'000U);  // not all: no FIN
  EXPECT_EQ(session.send_room(3), 0U);
  EXPECT_FALSE(peer.end.writable.contains(3));
  peer.collect();  // 32,768 go
  EXPECT_TRUE(peer.end.writable.contains(3));
  EXPECT_EQ(session.unsent(3), 50'000U - 32'768U);
  EXPECT_EQ(session.send(3, pattern(10'000, 2), true), 10'000U);
  EXPECT_EQ(session.send(3, as_bytes("x"), false), 0U);
  peer.credit(3, 100'000);
  const auto frames = peer.collect();
  EXPECT_TRUE(parse_stream_frame(frames.back().plaintext)->fin);
}

TEST(SessionSending, UnsentBytesOfASessionAreBounded) {
  Settings settings;
  settings.send_buffer_bytes = 4 << 20;
  RawPeer peer{Role::client, settings};
  peer.greet();
  std::size_t total = 0;
  const auto lump = pattern(4 << 20, 1);
  for (StreamId id = 3; id < 3 + 2 * 100; id += 2) {
    peer.data(id, 0, {});
    const auto taken = peer.end.session.send(id, lump, false);
    EXPECT_GE(taken, limits::stream_unsent_share_bytes);  // nobody is shut out
    total += taken;
  }
  EXPECT_LE(total, limits::session_unsent_bytes_max + lump.size() + 100 * limits::stream_unsent_share_bytes);
}

TEST(SessionSending, SmallWritesBecomeOneFrame) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, {});
  for (int i = 0; i < 100; ++i) peer.end.session.send(3, as_bytes("0123456789"), false);
  const auto frames = peer.collect();
  EXPECT_EQ(RawPeer::count(frames, FrameType::stream), 1U);
  EXPECT_EQ(RawPeer::data_of(frames, 3).size(), 1'000U);
}

TEST(SessionSending, ChunkSizesUpToTheLargestAreUsed) {
  for (const std::uint32_t chunk : {1U, 100U, 16'384U, 40'000U, 65'498U, 1'000'000U}) {
    Settings settings;
    settings.chunk_bytes = chunk;
    RawPeer peer{Role::client, settings};
    peer.greet();
    peer.data(3, 0, {});
    peer.credit(3, 1 << 20);
    peer.credit(0, 1 << 20);
    const auto data = pattern(200'000, 1);
    peer.end.session.send(3, data, false);
    std::size_t largest = 0;
    const auto frames = peer.collect();
    for (const auto& frame : frames) {
      if (frame.header.type != FrameType::stream) continue;
      largest = std::max(largest, parse_stream_frame(frame.plaintext)->data.size());
    }
    EXPECT_EQ(largest, std::min<std::size_t>(chunk, stream_data_bytes_max));
    EXPECT_EQ(RawPeer::data_of(frames, 3), data);
  }
}

TEST(SessionSending, SmallOutputBuffersCutFrames) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, {});
  peer.collect();
  const auto data = pattern(5'000, 1);
  peer.end.session.send(3, data, true);
  Bytes received, buffer(100);
  while (const auto size = peer.end.session.poll_transmit(buffer, peer.now)) {
    const auto plaintext = peer.opener.open(ByteSpan{buffer}.first(size));
    ASSERT_TRUE(plaintext);
    const auto piece = parse_stream_frame(*plaintext)->data;
    received.insert(received.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(received, data);
}

// --- readers that are slow

TEST(Session, ASlowReaderOfOneStreamOf32DoesNotStopTheOthers) {
  Pair pair;
  pair.pump();
  std::vector<StreamId> ids;
  for (int i = 0; i < 32; ++i) ids.push_back(*pair.client.session.open());
  pair.server.held.insert(ids[0]);
  std::map<StreamId, std::size_t> queued;
  const auto lump = pattern(100'000, 1);
  for (int round = 0; round < 100; ++round) {
    for (const auto id : ids) queued[id] += pair.client.session.send(id, lump, false);
    pair.pump();
  }
  for (const auto id : ids) {
    if (id == ids[0]) continue;
    EXPECT_EQ(queued[id], 10'000'000U);
    EXPECT_EQ(pair.server.received[id].size(), 10'000'000U);
  }
  EXPECT_EQ(pair.server.received[ids[0]].size(), 262'144U);  // one window
}

TEST(Session, ManySlowReadersDoNotStopTheOthers) {
  Pair pair;
  pair.pump();
  std::vector<StreamId> ids;
  for (int i = 0; i < 32; ++i) ids.push_back(*pair.client.session.open());
  for (std::size_t i = 1; i < ids.size(); ++i) pair.server.held.insert(ids[i]);
  std::size_t queued = 0;
  const auto lump = pattern(100'000, 1);
  for (int round = 0; round < 100; ++round) {
    for (const auto id : ids) {
      const auto taken = pair.client.session.send(id, lump, false);
      if (id == ids[0]) queued += taken;
    }
    pair.pump();
  }
  EXPECT_EQ(queued, 10'000'000U);
  EXPECT_EQ(pair.server.received[ids[0]].size(), 10'000'000U);
}

TEST(Session, ASmallSendBufferDoesNotCutTheCapabilities) {
  Settings settings;
  settings.send_buffer_bytes = 1;
  Pair pair{settings, settings};
  pair.pump();
  EXPECT_TRUE(pair.client.ready && pair.server.ready);
}

}  // namespace
}  // namespace village::htx
