// Floods: what a peer may send without saying anything is limited and counted, and makes nothing grow.
#include <malloc.h>

#include "htx/flood_budget.hpp"
#include "htx/raw_peer.hpp"
#include "support/allocations.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using std::chrono::seconds;
using test::expect_closed;
using test::Pair;
using test::pattern;
using test::RawPeer;

/// frames_until_closed sends `frame()` until the session has had enough, and returns how often; what the
/// session says meanwhile is not read.
template <class Frame>
std::uint32_t frames_until_closed(RawPeer& peer, Frame frame, std::uint32_t at_most = 40'000) {
  std::uint32_t count = 0;
  while (!peer.end.closed && count < at_most) {
    frame();
    ++count;
  }
  return count;
}

void expect_limited(RawPeer& peer, std::uint32_t count) {
  EXPECT_GT(count, limits::idle_frames_burst - 100);
  EXPECT_LE(count, limits::idle_frames_burst + 100);
  EXPECT_GE(peer.end.session.statistics().frames_idle, limits::idle_frames_burst);
  expect_closed(peer, Code::policy_rejected);
}

TEST(SessionFlood, OfPingsIsLimitedAndCounted) {
  RawPeer peer;
  peer.greet();
  expect_limited(peer, frames_until_closed(peer, [&] { peer.send(FrameType::ping, 0, ByteArray<8>{}); }));
}

TEST(SessionFlood, OfConnectionCreditIsLimitedAndCounted) {
  RawPeer peer;
  peer.greet();
  expect_limited(peer, frames_until_closed(peer, [&] { peer.credit(0, 1); }));
}

TEST(SessionFlood, OfStreamCreditIsLimitedAndCounted) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  expect_limited(peer, frames_until_closed(peer, [&] { peer.credit(3, 1); }));
}

TEST(SessionFlood, OfPaddingIsLimitedAndCounted) {
  RawPeer peer;
  peer.greet();
  expect_limited(peer, frames_until_closed(peer, [&] { peer.send(FrameType::padding, 0, {}); }));
}

TEST(SessionFlood, OfFramesForDeadStreamsIsLimitedAndCounted) {
  RawPeer peer;
  peer.greet();
  peer.close(3, Code::ok);
  expect_limited(peer, frames_until_closed(peer, [&] { peer.credit(3, 1); }));
}

TEST(SessionFlood, OfDatagramsForDeadStreamsIsLimitedAndCounted) {
  RawPeer peer;
  peer.greet();
  expect_limited(peer, frames_until_closed(peer, [&] { peer.send(FrameType::datagram, 3, as_bytes("x")); }));
}

TEST(SessionFlood, OfUnknownFramesIsLimitedAndCounted) {
  RawPeer peer;
  peer.greet();
  expect_limited(
      peer, frames_until_closed(peer, [&] { peer.send(static_cast<FrameType>(0x55), 0, as_bytes("x")); }));
}

TEST(SessionFlood, OfEmptyStreamFramesIsLimitedAndCounted) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  expect_limited(peer, frames_until_closed(peer, [&] { peer.data(3, 1, {}); }));
}

TEST(SessionFlood, ThousandsOfStreamsThatSayNothingAreFine) {
  Settings settings;
  settings.peer_streams_max = limits::peer_streams_max;
  Pair pair{settings, settings};
  pair.pump();
  for (int i = 0; i < 50'000; ++i) ASSERT_TRUE(pair.client.session.open());
  const auto last = *pair.client.session.open();
  pair.client.session.send(last, as_bytes("x"), false);  // announces them all
  pair.pump();
  EXPECT_EQ(pair.server.session.statistics().streams_open, 50'001U);
  EXPECT_FALSE(pair.server.closed);
}

TEST(SessionFlood, SteadyControlFramesAreFine) {
  RawPeer peer;
  peer.greet();
  for (int second = 0; second < 20; ++second) {
    for (std::uint32_t i = 0; i < limits::idle_frames_per_second; ++i) {
      peer.send(FrameType::padding, 0, {});
      ASSERT_FALSE(peer.end.closed) << second << "/" << i;
    }
    peer.now += seconds{1};
  }
}

TEST(SessionFlood, ControlThatAnswersDataIsFine) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("x"));
  std::uint64_t offset = 1;
  for (int i = 0; i < 60'000; ++i) {  // one credit and one padding for each frame of data
    if (i % 2 == 0) peer.data(3, offset++, as_bytes("x"));
    peer.credit(3, 1);
    peer.end.session.send(3, as_bytes("y"), false);
    peer.collect();
    ASSERT_FALSE(peer.end.closed) << i;
  }
}

TEST(SessionFlood, OfDatagramsMakesNothingGrow) {
  Pair pair;
  const auto stream = *pair.client.session.open();
  pair.client.session.send(stream, as_bytes("x"), false);
  pair.pump();
  Bytes wire(256 << 10);
  std::uint64_t arrived = 0, allocations = 0;
  const auto data = pattern(1'000, 1);
  for (int round = 0; round < 400; ++round) {
    const auto before = test::allocation_count();
    for (int i = 0; i < 64; ++i) (void)pair.client.session.send_datagram(stream, {}, data);
    const auto size = pair.client.session.poll_transmit(wire, pair.now);
    ASSERT_TRUE(pair.server.session.receive(ByteSpan{wire}.first(size), pair.now));
    while (const auto event = pair.server.session.poll_event())
      arrived += std::holds_alternative<DatagramReceived>(*event) ? 1 : 0;
    if (round >= 50) allocations += test::allocation_count() - before;
  }
  EXPECT_EQ(arrived, 400U * 64);
  EXPECT_EQ(pair.server.session.statistics().datagrams_in, arrived);
  EXPECT_EQ(allocations, 0U);
}

TEST(SessionFlood, StreamsOpenedAndResetAtOnceAreRefusedInTheEnd) {
  RawPeer peer;
  peer.greet();
  StreamId id = 3;
  for (std::uint32_t i = 0; i < limits::resets_burst; ++i, id += 2) {
    peer.data(id, 0, as_bytes("x"));
    peer.close(id, Code::ok);
  }
  EXPECT_EQ(peer.end.opened.size(), limits::resets_burst);
  peer.collect();
  peer.data(id, 0, as_bytes("x"));
  EXPECT_FALSE(peer.end.opened.contains(id));
  EXPECT_EQ(peer.end.session.statistics().streams_refused, 1U);
  const auto frames = peer.collect();
  EXPECT_EQ(RawPeer::count(frames, FrameType::close), 1U);
  peer.now += seconds{1};
  peer.data(id + 2, 0, as_bytes("x"));
  EXPECT_TRUE(peer.end.opened.contains(id + 2)) << "and taken again after a while";
  EXPECT_FALSE(peer.end.closed);
}

TEST(FloodBudget, ComesBackWithTimeUpToItsCapacity) {
  Instant now{seconds{100}};
  FloodBudget budget{10, 5, now};
  const auto spend_all = [&] {
    int count = 0;
    while (budget.spend(now)) ++count;
    return count;
  };
  EXPECT_EQ(spend_all(), 10);
  now += seconds{1};
  EXPECT_EQ(spend_all(), 5);
  now += std::chrono::hours{1};
  EXPECT_EQ(spend_all(), 10);
  now -= seconds{10};  // time does not run backwards, but must not harm if it did
  EXPECT_EQ(spend_all(), 0);
  budget.earn(1'000);
  EXPECT_EQ(spend_all(), 10);
}

// --- key updates

/// updates carries data over a session whose key changes with every `frames` frames, for `count` updates on
/// the injected clock; nothing may stall, be lost, or end the session.
void run_updates(std::uint64_t count) {
  Settings settings;
  settings.ping_interval = Duration{0};
  Pair pair{settings, settings};
  pair.pump();
  const auto stream = *pair.client.session.open();
  const auto data = pattern(3'000, 1);
  Bytes wire(70'000);
  std::uint64_t sent = 0, arrived = 0;
  // One a minute is what the bucket gives back.
  for (std::uint64_t i = 0; i < count; ++i) {
    pair.now += seconds{62};
    pair.client.session.update_key();
    for (int k = 0; k < 2; ++k) {
      ASSERT_EQ(pair.client.session.send(stream, data, false), data.size()) << "stalled at " << i;
      sent += data.size();
      const auto size = pair.client.session.poll_transmit(wire, pair.now);
      const auto used = pair.server.session.receive(ByteSpan{wire}.first(size), pair.now);
      ASSERT_TRUE(used && *used == size) << i;
      while (const auto event = pair.server.session.poll_event()) {
        if (const auto* got = std::get_if<StreamData>(&*event)) {
          ASSERT_TRUE(std::equal(got->data.begin(), got->data.end(),
                                 data.begin() + static_cast<std::ptrdiff_t>(arrived % 3'000)));
          arrived += got->data.size();
          pair.server.session.consume(stream, got->data.size(), pair.now);
        }
        ASSERT_FALSE(std::holds_alternative<SessionClosed>(*event));
      }
    }
    const auto back = pair.server.session.poll_transmit(wire, pair.now);
    ASSERT_TRUE(back == 0 || pair.client.session.receive(ByteSpan{wire}.first(back), pair.now));
    while (pair.client.session.poll_event()) {
    }
  }
  EXPECT_EQ(arrived, sent);
  EXPECT_EQ(pair.server.session.statistics().key_updates_in,
            pair.client.session.statistics().key_updates_out);
  EXPECT_GE(pair.server.session.statistics().key_updates_in, count);
}

TEST(SessionKeyUpdates, ATwentiethOfAMillionDoNotStall) { run_updates((1U << 20) / 20); }
TEST(SessionKeyUpdatesSoak, AMillionDoNotStall) { run_updates(1U << 20); }

TEST(SessionKeyUpdates, DoNotStallATransferThatNeverStops) {
  Settings settings;
  settings.key_update_frames = limits::key_update_free_frames;
  settings.chunk_bytes = 1'024;
  Pair pair{settings, settings};
  pair.pump();
  const auto stream = *pair.client.session.open();
  const auto data = pattern(64 << 10, 1);
  std::uint64_t sent = 0;
  while (pair.client.session.statistics().key_updates_out < 50) {
    pair.now += std::chrono::milliseconds{1};
    const auto taken = pair.client.session.send(stream, data, false);
    ASSERT_EQ(taken, data.size()) << "a transfer that stalls keeps its data";
    sent += taken;
    pair.pump();
    pair.server.received.clear();
  }
  EXPECT_EQ(pair.server.session.statistics().data_bytes_in, sent);
}

// --- small messages of one stream

TEST(SessionSending, SmallMessagesGatherWhileTheSocketIsBusyAndNeverWaitWhenItIsIdle) {
  Pair pair;
  const auto stream = *pair.client.session.open();
  pair.client.session.send(stream, as_bytes("x"), false);
  pair.pump();
  const auto& statistics = pair.client.session.statistics();
  auto before = statistics.frames_out;
  for (int i = 0; i < 100; ++i) {  // idle: each goes at once, in a frame of its own
    pair.client.session.send(stream, pattern(100, 1), false);
    EXPECT_TRUE(pair.client.session.wants_transmit());
    pair.server.take(pair.client.give(pair.now), pair.now);
    EXPECT_EQ(pair.client.session.unsent(stream), 0U);
  }
  EXPECT_EQ(statistics.frames_out - before, 100U);
  before = statistics.frames_out;
  for (int i = 0; i < 1'000; ++i) pair.client.session.send(stream, pattern(100, 1), false);  // busy
  pair.server.take(pair.client.give(pair.now), pair.now);
  EXPECT_EQ(pair.client.session.unsent(stream), 0U);
  EXPECT_LE(statistics.frames_out - before, 100'000U / 16'384 + 2);
}

}  // namespace
}  // namespace village::htx
