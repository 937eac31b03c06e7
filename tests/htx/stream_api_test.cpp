// What callers of a stream have beside bytes: deadlines, resets with a reason, statistics, priorities that
// change, and what happens to streams that stand still.
#include <algorithm>

#include "htx/raw_peer.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Pair;
using test::pattern;
using test::RawPeer;

// --- reset with a reason

TEST(StreamReset, CodeAndReasonTravel) {
  Pair pair;
  const auto stream = *pair.client.session.open();
  pair.client.session.send(stream, as_bytes("hello"), false);
  pair.pump();
  pair.server.session.reset(stream, Code{0x8123}, "no such thing");
  pair.pump();
  EXPECT_EQ(pair.client.resets.at(stream), Code{0x8123});
  EXPECT_EQ(pair.client.reasons.at(stream), "no such thing");
  EXPECT_FALSE(pair.server.resets.contains(stream)) << "who resets is not told of it";
}

TEST(StreamReset, ReasonsKeepToTheirStreamsInAnyNumber) {
  Pair pair;
  pair.pump();
  std::map<StreamId, std::string> reasons;
  for (int i = 0; i < 300; ++i) {
    const auto stream = *pair.client.session.open();
    pair.client.session.send(stream, as_bytes("x"), false);
    reasons[stream] = i % 3 == 0 ? "" : "reason " + std::to_string(i);
  }
  pair.pump();
  for (const auto& [stream, reason] : reasons) pair.server.session.reset(stream, Code::ok, reason);
  Bytes little(100);  // so that they go out a few at a time
  while (const auto size = pair.server.session.poll_transmit(little, pair.now))
    pair.client.take(ByteView{little}.first(size), pair.now);
  EXPECT_EQ(pair.client.reasons, reasons);
}

TEST(StreamReset, ReasonIsCutAndMadePrintable) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  std::string reason(400, 'a');
  reason.replace(0, 3, "\x1b[\xff");
  peer.close(3, Code::ok, reason);
  EXPECT_EQ(peer.end.reasons.at(3), "?[?" + std::string(253, 'a'));
  peer.data(5, 0, as_bytes("x"));
  peer.collect();
  peer.end.session.reset(5, Code::ok, std::string(400, 'b'));
  const auto frames = peer.collect();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(parse_close(frames[0].plaintext)->reason, std::string(256, 'b'));
}

TEST(StreamReset, TextsThatWaitAreBoundedAndCodesGoOn) {
  Pair pair;
  pair.pump();
  std::vector<StreamId> streams;
  for (int i = 0; i < 1'000; ++i) {
    streams.push_back(*pair.client.session.open());
    pair.client.session.send(streams.back(), as_bytes("x"), false);
  }
  pair.pump();
  for (const auto stream : streams) pair.client.session.reset(stream, Code::ok, std::string(256, 'r'));
  EXPECT_LE(pair.client.give(pair.now).size(),
            limits::reset_reasons_bytes_max + 1'000 * (frame_overhead_bytes + close_head_bytes));
  EXPECT_EQ(pair.client.session.statistics().streams_open, 0U);
}

// --- deadlines

TEST(StreamDeadline, ResetsAStreamWhoseDataDidNotGo) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  auto& session = peer.end.session;
  session.send(3, pattern(100'000, 1), false);  // credit is for 32,768
  session.set_deadline(3, peer.now + seconds{3});
  peer.collect();
  EXPECT_EQ(session.next_deadline(), peer.now + seconds{3});
  peer.now += milliseconds{2'999};
  session.on_deadline(peer.now);
  EXPECT_EQ(session.unsent(3), 100'000U - limits::stream_credit_start);
  peer.now += milliseconds{1};
  session.on_deadline(peer.now);
  peer.end.drain_events(peer.now);
  EXPECT_EQ(peer.end.resets.at(3), Code::deadline_missed);
  EXPECT_TRUE(peer.end.own_resets.contains(3));
  const auto frames = peer.collect();
  ASSERT_EQ(RawPeer::count(frames, FrameType::close), 1U);
  EXPECT_EQ(parse_close(frames.back().plaintext)->code, Code::deadline_missed);
  EXPECT_EQ(session.statistics().streams_given_up, 1U);
}

TEST(StreamDeadline, IsOverWhenAllWasSentAndCanBeTakenBack) {
  Pair pair;
  const auto kept = *pair.client.session.open(), taken_back = *pair.client.session.open();
  pair.client.session.send(kept, as_bytes("x"), false);
  pair.client.session.set_deadline(kept, pair.now + seconds{1});
  pair.pump();
  pair.client.session.send(taken_back, pattern(200'000, 1), false);
  pair.client.session.set_deadline(taken_back, pair.now + seconds{1});
  pair.client.session.set_deadline(taken_back, std::nullopt);
  pair.now += seconds{2};
  pair.client.session.on_deadline(pair.now);
  pair.client.drain_events(pair.now);
  EXPECT_TRUE(pair.client.resets.empty());
  pair.client.session.send(kept, as_bytes("later"), false);
  pair.now += seconds{2};
  pair.client.session.on_deadline(pair.now);
  pair.client.drain_events(pair.now);
  EXPECT_TRUE(pair.client.resets.empty()) << "an old deadline is not one for new data";
}

TEST(StreamDeadline, AFinThatIsStuckCounts) {
  Pair pair;
  const auto stream = *pair.client.session.open();
  pair.client.session.finish(stream);
  pair.client.session.set_deadline(stream, pair.now + seconds{1});
  pair.now += seconds{1};
  pair.client.session.on_deadline(pair.now);
  pair.client.drain_events(pair.now);
  EXPECT_EQ(pair.client.resets.at(stream), Code::deadline_missed);
}

TEST(StreamDeadline, ManyFireInOrderOfTime) {
  RawPeer peer;
  peer.greet();
  auto& session = peer.end.session;
  SeededRandom random{5};
  std::map<StreamId, Instant> due;
  for (StreamId id = 3; id < 403; id += 2) {
    peer.data(id, 0, as_bytes("x"));
    session.send(id, pattern(40'000, id), false);
    due[id] = peer.now + milliseconds{random.below(10'000) + 1};
    session.set_deadline(id, due[id]);
  }
  for (StreamId id = 3; id < 403; id += 6) {  // some move, some go
    due[id] = peer.now + milliseconds{random.below(10'000) + 1};
    session.set_deadline(id, due[id]);
    session.reset(id + 2, Code::ok);
    due.erase(id + 2);
  }
  while (!due.empty()) {
    const auto next =
        std::min_element(due.begin(), due.end(), [](auto& a, auto& b) { return a.second < b.second; });
    ASSERT_EQ(session.next_deadline(), next->second);
    peer.now = next->second;
    session.on_deadline(peer.now);
    peer.end.drain_events(peer.now);
    for (auto it = due.begin(); it != due.end();) {
      EXPECT_EQ(peer.end.resets.contains(it->first), it->second <= peer.now);
      it = it->second <= peer.now ? due.erase(it) : std::next(it);
    }
  }
}

// --- streams without credit

TEST(StreamStall, ZeroCreditEndsAStreamOnlyIfAskedFor) {
  for (const bool asked : {false, true}) {
    Settings settings;
    settings.ping_interval = settings.ping_timeout = std::chrono::hours{1};
    if (asked) settings.stream_stall_max = seconds{15};
    RawPeer peer{Role::client, settings};
    peer.greet();
    peer.data(3, 0, as_bytes("x"));
    auto& session = peer.end.session;
    session.send(3, pattern(100'000, 1), false);
    peer.collect();
    peer.now += seconds{15};
    session.on_deadline(peer.now);
    peer.end.drain_events(peer.now);
    EXPECT_EQ(peer.end.resets.contains(3), asked);
    EXPECT_TRUE(!asked || peer.end.resets.at(3) == Code::stalled);
  }
}

TEST(StreamStall, CreditInTimeOrNothingToSendKeepsTheStream) {
  Settings settings;
  settings.ping_interval = settings.ping_timeout = std::chrono::hours{1};
  settings.stream_stall_max = seconds{15};
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  peer.data(5, 0, as_bytes("x"));
  auto& session = peer.end.session;
  session.send(3, pattern(100'000, 1), false);
  session.send(5, pattern(limits::stream_credit_start, 1), false);  // uses all credit up, then is silent
  peer.credit(0, 1 << 20);
  peer.collect();
  for (int i = 0; i < 10; ++i) {
    peer.now += seconds{14};
    peer.credit(3, 2'000);
    session.on_deadline(peer.now);
    peer.collect();
  }
  EXPECT_TRUE(peer.end.resets.empty());
  session.send(5, as_bytes("more"), false);
  peer.now += seconds{15};
  session.on_deadline(peer.now);
  peer.end.drain_events(peer.now);
  EXPECT_TRUE(peer.end.resets.contains(5));
}

// --- readers that stand still

TEST(SlowReaders, AreGivenUpWhenTheyFillTheSession) {
  Settings sender, receiver;
  receiver.connection_window_max = 4 << 20;
  receiver.stream_window_start = receiver.stream_window_max = 256 << 10;
  Pair pair{sender, receiver};
  pair.pump();
  pair.server.consumes = false;
  std::vector<StreamId> streams;
  const auto data = pattern(256 << 10, 1);
  for (int i = 0; i < 40; ++i) {  // 10 MiB for a session that takes 4
    streams.push_back(*pair.client.session.open());
    pair.client.session.send(streams.back(), data, false);
    pair.pump();
  }
  EXPECT_EQ(pair.server.session.statistics().send_credit > 0, true);
  const auto late = *pair.client.session.open();
  pair.client.session.send(late, as_bytes("let me through"), false);
  pair.pump();
  EXPECT_FALSE(pair.server.received.contains(late)) << "the session is full";
  const auto due = pair.server.session.next_deadline();
  ASSERT_TRUE(due);
  EXPECT_LE(*due, pair.now + seconds{15});
  pair.now += seconds{15};
  pair.server.session.on_deadline(pair.now);
  pair.server.drain_events(pair.now);
  pair.pump();
  EXPECT_TRUE(pair.server.received.contains(late));
  EXPECT_FALSE(pair.server.own_resets.empty());
  for (const auto id : pair.server.own_resets) EXPECT_EQ(pair.server.resets.at(id), Code::slow_reader);
  EXPECT_LT(pair.server.own_resets.size(), 13U) << "no more than it takes";
  EXPECT_EQ(pair.client.resets.size(), pair.server.own_resets.size()) << "and the peer knows";
}

TEST(SlowReaders, StayWhileThereIsRoomAndReadersThatReadAreSpared) {
  Settings receiver;
  receiver.connection_window_max = 4 << 20;
  receiver.stream_window_start = receiver.stream_window_max = 256 << 10;
  receiver.ping_interval = std::chrono::hours{100};
  Pair pair{receiver, receiver};
  pair.pump();
  const auto paused = *pair.client.session.open(), busy = *pair.client.session.open();
  pair.server.held.insert(paused);
  pair.client.session.send(paused, pattern(256 << 10, 1), false);
  pair.pump();
  for (int i = 0; i < 100; ++i) {
    pair.now += seconds{14};
    pair.client.session.send(busy, pattern(100'000, 1), false);
    pair.pump();
    pair.server.session.on_deadline(pair.now);
    pair.server.drain_events(pair.now);
  }
  EXPECT_TRUE(pair.server.resets.empty()) << "a paused download waits as long as it likes";
  EXPECT_EQ(pair.server.received[busy].size(), 100U * 100'000);
}

// --- statistics and priorities

TEST(StreamStatistics, CountBothWays) {
  Pair pair;
  pair.pump();
  const auto stream = *pair.client.session.open(Priority::bulk);
  pair.now += seconds{1};
  pair.server.held.insert(stream);
  pair.client.session.send(stream, pattern(20'000, 1), false);
  pair.pump();
  pair.server.session.send(stream, as_bytes("five!"), false);
  const auto server = *pair.server.session.stream_statistics(stream);
  EXPECT_EQ(server.unread_bytes, 20'000U);
  EXPECT_EQ(server.unsent_bytes, 5U);
  EXPECT_EQ(server.opened_at, pair.now);
  EXPECT_EQ(server.receive_window, Settings{}.stream_window_start);
  pair.pump();
  const auto client = *pair.client.session.stream_statistics(stream);
  EXPECT_EQ(client.priority, Priority::bulk);
  EXPECT_EQ(client.bytes_out, 20'000U);
  EXPECT_EQ(client.bytes_in, 5U);
  EXPECT_EQ(client.frames_out, 2U);
  EXPECT_EQ(client.frames_in, 1U);
  EXPECT_EQ(client.opened_at, pair.now - seconds{1});
  EXPECT_EQ(client.send_credit, pair.server.session.stream_statistics(stream)->receive_credit);
  EXPECT_FALSE(pair.client.session.stream_statistics(1)) << "stream 1 is not the application's";
  EXPECT_FALSE(pair.client.session.stream_statistics(99));
}

TEST(StreamStatistics, BusiestComeFirst) {
  Pair pair;
  pair.pump();
  for (std::size_t i = 1; i <= 50; ++i) {
    const auto stream = *pair.client.session.open();
    pair.client.session.send(stream, pattern(i * 37 % 51 * 100, i), false);
  }
  pair.pump();
  const auto rows = pair.client.session.busiest_streams(5);
  ASSERT_EQ(rows.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(rows[i].bytes_out, (50 - i) * 100);
  EXPECT_EQ(pair.client.session.busiest_streams(1'000).size(), 50U);
}

TEST(StreamPriority, ChangesForDataThatWaits) {
  Pair pair;
  pair.pump();
  const auto first = *pair.client.session.open(Priority::bulk),
             second = *pair.client.session.open(Priority::bulk);
  pair.client.session.send(first, as_bytes("x"), false);
  pair.client.session.send(second, as_bytes("x"), false);
  pair.pump();  // now there is credit for all of it
  pair.client.session.send(first, pattern(100'000, 1), false);
  pair.client.session.send(second, pattern(100'000, 2), false);
  pair.client.session.set_priority(second, Priority::urgent);
  Bytes out(70'000);  // four frames
  const auto size = pair.client.session.poll_transmit(out, pair.now);
  pair.server.take(ByteView{out}.first(size), pair.now);
  EXPECT_GE(pair.server.received[second].size(), 3U * 16'384);
  EXPECT_EQ(pair.server.received[first].size(), 1U);
}

// --- pings

TEST(Ping, RoundTripCountsFromWhenItWasWritten) {
  Pair pair;
  pair.pump();
  pair.client.pongs.clear();
  pair.client.session.ping(pair.now);
  pair.now += seconds{1};  // the socket was busy
  const auto bytes = pair.client.give(pair.now);
  pair.now += milliseconds{30};
  pair.server.take(bytes, pair.now);
  pair.client.take(pair.server.give(pair.now), pair.now);
  ASSERT_EQ(pair.client.pongs.size(), 1U);
  EXPECT_EQ(pair.client.pongs[0], milliseconds{30});
}

}  // namespace
}  // namespace village::htx
