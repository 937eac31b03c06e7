// Pings, key updates, and the end of a session, on time that the test moves.
#include "htx/key_update_budget.hpp"
#include "htx/raw_peer.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using namespace std::chrono_literals;
using test::expect_closed;
using test::Pair;
using test::pattern;
using test::RawPeer;

// --- ping

TEST(SessionPing, IsEchoedWithTheMark) {
  RawPeer peer;
  peer.greet();
  peer.send(FrameType::ping, 0, as_bytes("01234567"));
  std::size_t echoes = 0;
  for (const auto& frame : peer.collect()) {
    if (frame.header.type != FrameType::ping) continue;
    EXPECT_EQ(frame.header.aad, aad_ping_echo);
    EXPECT_EQ(frame.plaintext, to_bytes("01234567"));
    ++echoes;
  }
  EXPECT_EQ(echoes, 1U);
}

TEST(SessionPing, AnEchoIsNotEchoed) {
  RawPeer peer;
  peer.greet();
  peer.send(FrameType::ping, 0, as_bytes("01234567"), aad_ping_echo);
  EXPECT_EQ(RawPeer::count(peer.collect(), FrameType::ping), 0U);
  EXPECT_TRUE(peer.end.pongs.empty());
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, 1U);
}

TEST(SessionPing, EchoesThatWaitAreBounded) {
  RawPeer peer;
  peer.greet();
  for (std::size_t i = 0; i < 3 * limits::ping_echoes_max; ++i)
    peer.send(FrameType::ping, 0, as_bytes("01234567"));
  EXPECT_EQ(RawPeer::count(peer.collect(), FrameType::ping), limits::ping_echoes_max);
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, 2 * limits::ping_echoes_max);
}

/// answer sends the echo of the PING among `frames`.
void answer(RawPeer& peer, const std::vector<test::SeenFrame>& frames) {
  for (const auto& frame : frames) {
    if (frame.header.type == FrameType::ping && frame.header.aad == 0) {
      peer.send(FrameType::ping, 0, frame.plaintext, aad_ping_echo);
    }
  }
}

TEST(SessionPing, MeasuresTheRoundTrip) {
  RawPeer peer;
  const auto first = peer.collect();  // nothing is known of the round trip: one goes out at once
  EXPECT_EQ(RawPeer::count(first, FrameType::ping), 1U);
  peer.now += 30ms;
  answer(peer, first);
  ASSERT_EQ(peer.end.pongs.size(), 1U);
  EXPECT_EQ(peer.end.pongs[0], 30ms);
  EXPECT_EQ(peer.end.session.statistics().rtt, 30ms);
  peer.end.session.ping(peer.now);
  const auto second = peer.collect();
  peer.now += 110ms;
  answer(peer, second);
  EXPECT_EQ(peer.end.session.statistics().rtt, 40ms);  // smoothed by an eighth
}

TEST(SessionPing, AReaderThatSaysNothingTellsThatItLives) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("a"));
  (void)peer.collect();
  std::size_t told = 0;
  for (std::uint64_t second = 1; second <= 60; ++second) {
    peer.now += 1s;
    peer.data(3, second, as_bytes("a"));  // far too little to tell credit for
    told += RawPeer::count(peer.collect(), FrameType::padding);
  }
  EXPECT_GE(told, 5U);
  EXPECT_LE(told, 12U);
  peer.now += 15s;  // nothing heard: nothing to answer
  EXPECT_TRUE(peer.collect().empty());
}

TEST(SessionPing, GoesOutWhenNothingWasHeard) {
  Settings settings;
  settings.handshake_rtt = 10ms;
  RawPeer peer{Role::client, settings};
  EXPECT_EQ(RawPeer::count(peer.collect(), FrameType::ping), 0U);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(peer.end.session.next_deadline(), peer.now + settings.ping_interval);
    peer.now += settings.ping_interval;
    peer.end.session.on_deadline(peer.now);
    const auto frames = peer.collect();
    EXPECT_EQ(RawPeer::count(frames, FrameType::ping), 1U);
    answer(peer, frames);
  }
  EXPECT_FALSE(peer.end.closed);
}

TEST(SessionPing, UnansweredEndsTheSession) {
  RawPeer peer;
  peer.collect();
  peer.now += 19s;
  peer.end.session.on_deadline(peer.now);
  EXPECT_FALSE(peer.end.closed);
  peer.data(3, 0, as_bytes("alive"));  // any authentic frame is a sign of life
  peer.now += 19s;
  peer.end.session.on_deadline(peer.now);
  EXPECT_FALSE(peer.end.closed);
  peer.now += 1s;
  EXPECT_EQ(peer.end.session.next_deadline(), peer.now);
  peer.end.session.on_deadline(peer.now);
  peer.end.drain_events(peer.now);
  ASSERT_TRUE(peer.end.closed);
  EXPECT_EQ(peer.end.closed->reason, "ping timeout");
  expect_closed(peer, Code::path_invalid);
}

// 65 KB at 4 KB/s take 16 s: the receiver must say a word before the frame is whole.
TEST(SessionPing, AWordIsSaidWhileALargeFrameComesSlowly) {
  RawPeer peer;
  peer.greet();
  peer.now += 1s;
  const auto frame = peer.seal(FrameType::stream, 3, RawPeer::stream_plaintext(0, Bytes(65'000)));
  std::size_t words = 0;
  for (std::size_t at = 0; at < frame.size(); at += 4'000, peer.now += 1s) {
    peer.end.take(ByteView{frame}.subspan(at, std::min<std::size_t>(4'000, frame.size() - at)), peer.now);
    words += RawPeer::count(peer.collect(), FrameType::padding);
  }
  EXPECT_GE(words, 1U);
  EXPECT_LE(words, 3U);
  EXPECT_EQ(peer.end.session.statistics().padding_bytes_out, words * frame_overhead_bytes);
  EXPECT_EQ(peer.end.received[3].size(), 65'000U);
}

TEST(SessionPing, CanBeSwitchedOff) {
  Settings settings;
  settings.ping_interval = 0s;
  settings.handshake_rtt = 1ms;
  RawPeer peer{Role::client, settings};
  EXPECT_FALSE(peer.end.session.next_deadline());
}

// --- key update

TEST(SessionKeys, FollowThePeersUpdates) {
  RawPeer peer;
  peer.greet();
  for (unsigned i = 0; i < limits::key_update_bucket; ++i) {
    peer.update_key();
    peer.data(3, i, as_bytes("x"));
  }
  EXPECT_EQ(peer.end.received[3].size(), limits::key_update_bucket);
  EXPECT_EQ(peer.end.session.statistics().key_updates_in, limits::key_update_bucket);
}

TEST(SessionKeys, AFloodOfUpdatesEndsTheSession) {
  RawPeer peer;
  peer.greet();
  for (unsigned i = 0; i <= limits::key_update_bucket; ++i) peer.update_key();
  EXPECT_EQ(peer.end.session.statistics().key_updates_in, limits::key_update_bucket);
  expect_closed(peer, Code::policy_rejected);
}

TEST(SessionKeys, TheBucketFillsOnceAMinute) {
  RawPeer peer;
  peer.greet();
  for (unsigned i = 0; i < limits::key_update_bucket; ++i) peer.update_key();
  for (int i = 0; i < 500; ++i) {
    peer.now += 60s;
    peer.update_key();
    ASSERT_FALSE(peer.end.closed) << i;
  }
  peer.now += 59s;
  peer.update_key();
  expect_closed(peer, Code::policy_rejected);
}

TEST(SessionKeys, UpdatesAfterManyFramesOrBytesAreFree) {
  RawPeer peer;
  peer.greet();
  for (unsigned i = 0; i < limits::key_update_bucket; ++i) peer.update_key();
  for (std::uint64_t i = 0; i < limits::key_update_free_frames - 1; ++i) peer.send(FrameType::padding, 0, {});
  peer.update_key();  // the KEY_UPDATE itself is the 4,096th
  EXPECT_FALSE(peer.end.closed);
  const auto large = pattern(plaintext_bytes_max, 1);
  for (std::uint64_t sent = 0; sent < limits::key_update_free_bytes; sent += frame_bytes_max) {
    peer.send(FrameType::padding, 0, large);
  }
  peer.update_key();
  EXPECT_FALSE(peer.end.closed);
  peer.update_key();
  expect_closed(peer, Code::policy_rejected);
}

TEST(SessionKeys, AnOldKeyIsOfNoUseAfterAnUpdate) {
  RawPeer peer;
  peer.greet();
  peer.send(FrameType::key_update, 0, {});
  peer.send(FrameType::padding, 0, {});  // still under the old key
  expect_closed(peer, Code::auth_failed);
}

TEST(SessionKeys, AreUpdatedAfterSoManyFrames) {
  Settings settings;
  settings.key_update_frames = 5'000;
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.data(3, 0, {});
  peer.credit(3, 1 << 30);
  peer.credit(0, 1 << 30);
  for (int i = 0; i < 20'000; ++i) {
    peer.end.session.send(3, as_bytes("x"), false);
    EXPECT_EQ(RawPeer::data_of(peer.collect(), 3).size(), 1U);
  }
  EXPECT_EQ(peer.end.session.statistics().key_updates_out, 4U);
}

TEST(SessionKeys, AreUpdatedAfterSoManyBytes) {
  Settings settings;
  settings.key_update_bytes = 20 << 20;
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.data(3, 0, {});
  peer.credit(3, 1 << 30);
  peer.credit(0, 1 << 30);
  const auto lump = pattern(1 << 18, 1);
  for (int i = 0; i < 4 * 63; ++i) {
    peer.end.session.send(3, lump, false);
    EXPECT_EQ(RawPeer::data_of(peer.collect(), 3).size(), lump.size());
  }
  EXPECT_EQ(peer.end.session.statistics().key_updates_out, 3U);
}

TEST(SessionKeys, AreUpdatedByTime) {
  Settings settings;
  settings.ping_interval = 0s;
  RawPeer peer{Role::client, settings};
  peer.greet();
  for (int i = 0; i < 5; ++i) {
    peer.now += settings.key_update_interval;
    EXPECT_EQ(RawPeer::count(peer.collect(), FrameType::key_update), 0U);  // nothing is sent for its own sake
    peer.send(FrameType::ping, 0, Bytes(8));
    const auto frames = peer.collect();
    EXPECT_EQ(RawPeer::count(frames, FrameType::key_update), 1U);
    EXPECT_EQ(RawPeer::count(frames, FrameType::ping), 1U);
  }
}

TEST(SessionKeys, OurUpdatesNeverExceedWhatThePeerTakes) {
  Pair pair;
  pair.pump();
  const auto stream = *pair.client.session.open();
  for (int i = 0; i < 2'000; ++i) {
    pair.client.session.update_key();
    pair.server.session.update_key();
    pair.client.session.send(stream, as_bytes("x"), false);
    pair.now += i % 7 == 0 ? 5s : 1ms;
    pair.pump();
  }
  EXPECT_FALSE(pair.client.closed || pair.server.closed);
  EXPECT_EQ(pair.server.received[stream].size(), 2'000U);
  EXPECT_GT(pair.client.session.statistics().key_updates_out, 20U);
  EXPECT_EQ(pair.client.session.statistics().key_updates_out,
            pair.server.session.statistics().key_updates_in);
  EXPECT_EQ(pair.server.session.statistics().key_updates_out,
            pair.client.session.statistics().key_updates_in);
}

TEST(RecordNonce, RefusesToWrap) {
  RecordNonce nonces{{}, std::numeric_limits<std::uint64_t>::max() - 1};
  EXPECT_TRUE(nonces.next());
  ASSERT_FALSE(nonces.next());
  EXPECT_EQ(nonces.next().error().code, Errc::exhausted);
}

// --- close

TEST(SessionClose, IsTheLastFrameAndWaitsForThePeers) {
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, {});
  peer.end.session.send(3, as_bytes("unsent"), false);
  peer.end.session.close(Code::ok, "going home", peer.now);
  peer.end.session.close(Code::internal_error, "twice", peer.now);
  const auto frames = peer.collect();
  ASSERT_EQ(frames.size(), 1U);
  const auto close = parse_close(frames[0].plaintext);
  EXPECT_EQ(close->code, Code::ok);
  EXPECT_EQ(close->reason, "going home");
  EXPECT_EQ(peer.end.session.send(3, as_bytes("x"), false), 0U);
  EXPECT_EQ(peer.end.session.open().error().code, Errc::closed);
  EXPECT_FALSE(peer.end.session.wants_transmit());
  EXPECT_FALSE(peer.end.session.closed());
  peer.data(3, 0, as_bytes("late"));
  EXPECT_TRUE(peer.end.received[3].empty());
  peer.close(0, Code::ok);
  EXPECT_TRUE(peer.end.session.closed());
  EXPECT_TRUE(peer.collect().empty());
}

TEST(SessionClose, DrainsForTwoSeconds) {
  RawPeer peer;
  peer.greet();
  peer.end.session.close(Code::ok, "", peer.now);
  peer.collect();
  ASSERT_EQ(peer.end.session.next_deadline(), peer.now + limits::drain_time);
  peer.now += limits::drain_time - 1ns;
  peer.end.session.on_deadline(peer.now);
  EXPECT_FALSE(peer.end.session.closed());
  peer.now += 1ns;
  peer.end.session.on_deadline(peer.now);
  EXPECT_TRUE(peer.end.session.closed());
  EXPECT_FALSE(peer.end.session.next_deadline());
}

TEST(SessionClose, KeyUpdatesAreFollowedWhileTheSessionDrains) {
  RawPeer peer;
  peer.greet();
  peer.end.session.close(Code::ok, "", peer.now);
  peer.collect();
  peer.update_key();  // was on its way already
  peer.data(3, 0, as_bytes("late"));
  peer.close(0, Code::ok);
  EXPECT_FALSE(peer.end.error);
  EXPECT_TRUE(peer.end.session.closed());
}

TEST(SessionClose, ByThePeerIsAnsweredAndTold) {
  RawPeer peer;
  peer.greet();
  peer.close(0, Code::internal_error, "disk\nfull\x7f");
  ASSERT_TRUE(peer.end.closed);
  EXPECT_TRUE(peer.end.closed->by_peer);
  EXPECT_EQ(peer.end.closed->code, Code::internal_error);
  EXPECT_EQ(peer.end.closed->reason, "disk?full?");
  EXPECT_FALSE(peer.end.error);
  const auto frames = peer.collect();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].header.type, FrameType::close);
  EXPECT_TRUE(peer.end.session.closed());
}

TEST(SessionClose, ReasonsAreCut) {
  RawPeer peer;
  peer.greet();
  peer.close(0, Code::ok, std::string(60'000, 'a'));
  EXPECT_EQ(peer.end.closed->reason.size(), limits::close_reason_bytes_max);
  RawPeer other;
  other.end.session.close(Code::ok, std::string(60'000, 'b'), other.now);
  EXPECT_EQ(parse_close(other.collect().back().plaintext)->reason.size(), limits::close_reason_bytes_max);
}

TEST(SessionClose, WhatComesAfterAViolationIsNotRead) {
  RawPeer peer;
  peer.greet();
  peer.send(FrameType::ping, 0, Bytes(1));
  peer.data(3, 0, as_bytes("x"));
  EXPECT_TRUE(peer.end.opened.empty());
  EXPECT_TRUE(peer.end.inbox.empty());
  expect_closed(peer, Code::malformed_frame);
}

}  // namespace
}  // namespace village::htx
