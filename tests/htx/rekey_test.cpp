// Re-handshakes: two sessions, a thief of keys, and peers that lie.
#include "htx/rekey.hpp"

#include "htx/raw_peer.hpp"

namespace village::htx {
namespace {

using namespace std::chrono_literals;
using test::expect_closed;
using test::Pair;
using test::pattern;
using test::RawPeer;
using test::rekey_keys;
using test::session_keys;

constexpr auto algorithm = crypto::AeadAlgorithm::chacha20_poly1305;

/// RekeyPair is a Pair whose sides can do re-handshakes and have exchanged capabilities.
struct RekeyPair : Pair {
  explicit RekeyPair(const Settings& settings = {}, test::RawPeer::MakeKeys server_keys = rekey_keys) {
    client = test::End{Session{Role::client, rekey_keys(Role::client, algorithm), settings, random, now}};
    server = test::End{Session{Role::server, server_keys(Role::server, algorithm, 1), settings, random, now}};
    pump();
    EXPECT_TRUE(client.ready && server.ready);
  }
  std::pair<std::uint64_t, std::uint64_t> counts() const {
    return {client.session.statistics().rekeys, server.session.statistics().rekeys};
  }
  void expect_open() {
    EXPECT_FALSE(client.error || server.error || client.closed || server.closed);
    const auto stream = client.session.open().value();
    const auto there = pattern(50'000, stream), back = pattern(40'000, stream + 1);
    client.session.send(stream, there, false);
    pump();
    EXPECT_EQ(server.received[stream], there);
    server.session.send(stream, back, true);
    client.session.finish(stream);
    pump();
    EXPECT_EQ(client.received[stream], back);
  }
};

using Counts = std::pair<std::uint64_t, std::uint64_t>;

TEST(Rekey, EitherSideStartsIt) {
  RekeyPair pair;
  ASSERT_TRUE(pair.client.session.rekey(pair.now));
  pair.pump();
  EXPECT_EQ(pair.counts(), (Counts{1, 1}));
  pair.expect_open();
  ASSERT_TRUE(pair.server.session.rekey(pair.now));
  pair.pump();
  EXPECT_EQ(pair.counts(), (Counts{2, 2}));
  pair.expect_open();
}

TEST(Rekey, OfBothAtOnceTheClientsCounts) {
  RekeyPair pair;
  ASSERT_TRUE(pair.client.session.rekey(pair.now));
  ASSERT_TRUE(pair.server.session.rekey(pair.now));
  // Both offers are on their way before either arrives.
  const auto from_client = pair.client.give(pair.now), from_server = pair.server.give(pair.now);
  pair.client.take(from_server, pair.now);
  pair.server.take(from_client, pair.now);
  pair.pump();
  EXPECT_EQ(pair.counts(), (Counts{1, 1}));
  pair.expect_open();
  EXPECT_TRUE(pair.server.session.rekey(pair.now));
  pair.pump();
  EXPECT_EQ(pair.counts(), (Counts{2, 2}));
}

TEST(Rekey, RunsInTheMiddleOfBulkDataAndKeyUpdates) {
  Settings settings;
  settings.key_update_frames = 8;
  RekeyPair pair{settings};
  const auto stream = pair.client.session.open().value();
  const auto there = pattern(3 << 20, 1), back = pattern(3 << 20, 2);
  std::size_t there_sent = 0, back_sent = 0;
  for (int round = 0; round < 10'000 && (there_sent < there.size() || back_sent < back.size()); ++round) {
    there_sent += pair.client.session.send(stream, ByteView{there}.subspan(there_sent), false);
    if (pair.server.opened.contains(stream))
      back_sent += pair.server.session.send(stream, ByteView{back}.subspan(back_sent), false);
    if (round % 40 == 7) (void)pair.client.session.rekey(pair.now);
    if (round % 60 == 9) (void)pair.server.session.rekey(pair.now);
    pair.now += 20s;
    // Small buffers: frames of both kinds lie between the messages.
    Bytes buffer(20'000);
    buffer.resize(pair.client.session.poll_transmit(buffer, pair.now));
    pair.server.take(buffer, pair.now);
    buffer.resize(20'000);
    buffer.resize(pair.server.session.poll_transmit(buffer, pair.now));
    pair.client.take(buffer, pair.now);
    pair.client.drain_events(pair.now);
    pair.server.drain_events(pair.now);
  }
  pair.pump();
  EXPECT_EQ(pair.server.received[stream], there);
  EXPECT_EQ(pair.client.received[stream], back);
  EXPECT_GT(pair.counts().first, 3U);
  EXPECT_EQ(pair.counts().first, pair.counts().second);
  EXPECT_GT(pair.client.session.statistics().key_updates_out, 10U);
}

TEST(Rekey, WorksOverPiecesOfOneByte) {
  RekeyPair pair;
  ASSERT_TRUE(pair.client.session.rekey(pair.now));
  for (int i = 0; i < 3; ++i) {
    auto& from = i % 2 == 0 ? pair.client : pair.server;
    auto& to = i % 2 == 0 ? pair.server : pair.client;
    for (const auto byte : from.give(pair.now)) to.take({&byte, 1}, pair.now);
  }
  EXPECT_EQ(pair.counts(), (Counts{1, 1}));
  pair.expect_open();
}

/// Thief holds the traffic secret of one direction as it was at the start, and reads along.
struct Thief {
  RecordOpener opener;
  /// reads tells whether every frame of `bytes` opens; follows key updates.
  bool reads(Bytes bytes) {
    for (ByteSpan rest{bytes}; !rest.empty();) {
      const auto size = frame_size(rest).value();
      const auto header = decode_header(rest.first<frame_header_bytes>());
      if (!opener.open(rest.first(size))) return false;
      if (header.type == FrameType::key_update) opener.update();
      rest = rest.subspan(size);
    }
    return true;
  }
};

TEST(Rekey, LocksAThiefOfTheSessionsKeysOut) {
  RekeyPair pair;
  // The thief takes both traffic secrets at an instant: those of a fresh generation, known by keys of the
  // test.
  auto stolen = session_keys(Role::client, algorithm);
  Thief forth{RecordOpener{algorithm, stolen.client_to_server.clone()}};
  Thief back{RecordOpener{algorithm, stolen.server_to_client.clone()}};
  Pair twin;  // the same session up to here, to bring the thief's counters to the same place
  twin.client =
      test::End{Session{Role::client, rekey_keys(Role::client, algorithm), {}, twin.random, twin.now}};
  twin.server =
      test::End{Session{Role::server, rekey_keys(Role::server, algorithm), {}, twin.random, twin.now}};
  for (bool moved = true; moved;) {
    const auto a = twin.client.give(twin.now);
    ASSERT_TRUE(forth.reads(a));
    twin.server.take(a, twin.now);
    const auto b = twin.server.give(twin.now);
    ASSERT_TRUE(back.reads(b));
    twin.client.take(b, twin.now);
    moved = !a.empty() || !b.empty();
  }
  ASSERT_TRUE(twin.client.session.rekey(twin.now));
  const auto offer = twin.client.give(twin.now);
  ASSERT_TRUE(forth.reads(offer));
  twin.server.take(offer, twin.now);
  const auto answer = twin.server.give(twin.now);
  ASSERT_TRUE(back.reads(answer));
  twin.client.take(answer, twin.now);
  const auto done = twin.client.give(twin.now);
  ASSERT_TRUE(forth.reads(done));
  twin.server.take(done, twin.now);
  // From here on neither the old keys nor their successors open anything, in either direction.
  const auto stream = twin.client.session.open().value();
  twin.client.session.send(stream, pattern(1'000, 3), false);
  const auto question = twin.client.give(twin.now);
  for (int generation = 0; generation < 4; ++generation, forth.opener.update())
    EXPECT_FALSE(forth.reads(question));
  twin.server.take(question, twin.now);
  EXPECT_EQ(twin.server.received[stream], pattern(1'000, 3));
  twin.server.session.send(stream, pattern(1'000, 4), false);
  const auto reply = twin.server.give(twin.now);
  for (int generation = 0; generation < 4; ++generation, back.opener.update())
    EXPECT_FALSE(back.reads(reply));
  twin.client.take(reply, twin.now);
  EXPECT_EQ(twin.client.received[stream], pattern(1'000, 4));
}

TEST(Rekey, IsNeverOfferedToAPeerThatDidNotAnnounceIt) {
  Settings settings;
  settings.ping_interval = Duration{0};
  RekeyPair pair{settings, session_keys};
  EXPECT_EQ(pair.client.session.rekey(pair.now).error().code, Errc::unsupported);
  EXPECT_EQ(pair.server.session.rekey(pair.now).error().code, Errc::unsupported);
  pair.now += 10h;
  pair.client.session.on_deadline(pair.now);
  pair.server.session.on_deadline(pair.now);
  pair.pump();
  EXPECT_EQ(pair.counts(), (Counts{0, 0}));
  pair.expect_open();
}

TEST(Rekey, StartsByItselfAfterItsInterval) {
  Settings settings;
  settings.ping_interval = Duration{0};
  settings.rekey_interval = 30min;
  RekeyPair pair{settings};
  const auto pass = [&pair](Duration time) {
    pair.now += time;
    EXPECT_LE(pair.client.session.next_deadline().value(), pair.now + 30min);
    pair.client.session.on_deadline(pair.now);
    pair.server.session.on_deadline(pair.now);
    pair.pump();
  };
  for (std::uint64_t n = 1; n <= 3; ++n) {
    pass(29min);
    EXPECT_EQ(pair.counts(), (Counts{n - 1, n - 1}));
    pass(1min);
    EXPECT_EQ(pair.counts(), (Counts{n, n}));
  }
  pair.expect_open();
}

TEST(Rekey, TheServerStartsItWhereTheClientNeverDoes) {
  Settings settings;
  settings.ping_interval = Duration{0};
  RekeyPair pair{settings};
  pair.now += settings.rekey_interval * 5 / 4;
  pair.server.session.on_deadline(pair.now);
  pair.pump();
  EXPECT_EQ(pair.counts(), (Counts{1, 1}));
}

TEST(Rekey, OwnStartsAreBoundedAndNeverSpin) {
  Settings settings;
  settings.ping_interval = Duration{0};
  settings.rekey_interval = 1s;
  RekeyPair pair{settings};
  std::uint64_t deadlines = 0;
  for (const auto end = pair.now + 2h; pair.now < end; ++deadlines) {
    pair.now = std::max(pair.now, std::min(pair.client.session.next_deadline().value(), end));
    pair.client.session.on_deadline(pair.now);
    pair.pump();
  }
  EXPECT_LT(deadlines, 200U);
  EXPECT_GT(pair.counts().first, 10U);
  EXPECT_LT(pair.counts().first, 40U);
  pair.expect_open();
}

TEST(Rekey, ClosingInTheMiddleIsOrderly) {
  for (int steps = 0; steps < 4; ++steps) {
    for (const bool by_client : {true, false}) {
      RekeyPair pair;
      ASSERT_TRUE(pair.client.session.rekey(pair.now));
      Bytes on_the_way;
      for (int i = 0; i < steps; ++i) {
        auto& from = i % 2 == 0 ? pair.client : pair.server;
        auto& to = i % 2 == 0 ? pair.server : pair.client;
        to.take(from.give(pair.now), pair.now);
      }
      (by_client ? pair.client : pair.server).session.close(Code::ok, "bye", pair.now);
      pair.pump();
      EXPECT_TRUE(pair.client.closed && pair.server.closed) << steps;
      EXPECT_FALSE(pair.client.error || pair.server.error) << steps;
      EXPECT_TRUE(pair.client.session.closed() && pair.server.session.closed()) << steps;
    }
  }
}

// --- peers that lie: they hold the session's keys, but not what a re-handshake needs

/// Liar is a raw client or server with a Rekey of its own.
struct Liar : RawPeer {
  explicit Liar(Role role_ = Role::client, const Settings& settings = {})
      : RawPeer{role_, settings, rekey_keys}, rekey{role_, keys, now} {
    greet();
  }
  Bytes last_rekey() {
    for (const auto& frame : collect()) {
      if (frame.header.type == FrameType::rekey) return frame.plaintext;
    }
    return {};
  }
  Rekey rekey;
};

/// Mute is a server that has its part of nothing but PING: it sends what it wants and never an answer.
struct Mute : Liar {
  Mute() : Liar{Role::server, with_rtt()} { EXPECT_TRUE(end.session.rekey(now)); }
  static Settings with_rtt() {  // else a PING goes out at the start, whose echo would be missing
    Settings settings;
    settings.handshake_rtt = 1ms;
    return settings;
  }
  /// pass lets time go by, second after second, with a sign of life every five.
  void pass(Duration time, bool echoes) {
    for (const auto until = now + time; now < until && !end.closed; now += 1s) {
      if (now.time_since_epoch() % 5s == Duration{0}) send(FrameType::padding, 0, {});
      end.session.on_deadline(now);
      end.drain_events(now);
      for (const auto& frame : collect()) {
        if (frame.header.type != FrameType::ping || frame.header.aad == aad_ping_echo) continue;
        if (echoes) send(FrameType::ping, 0, frame.plaintext, aad_ping_echo);
      }
    }
  }
  void expect_left() {
    ASSERT_TRUE(end.closed);
    EXPECT_EQ(end.closed->code, Code::policy_rejected);
    EXPECT_EQ(end.closed->reason, "rekey timeout");
  }
};

TEST(Rekey, APeerThatHasTheOfferAndDoesNotAnswerIsLeft) {
  Mute peer;
  EXPECT_EQ(peer.end.session.rekey(peer.now).error().code, Errc::busy);
  peer.pass(limits::rekey_time_max, true);
  EXPECT_FALSE(peer.end.closed);
  peer.pass(limits::rekey_time_max, true);
  peer.expect_left();
}

TEST(Rekey, AnOfferThatMayStillBeOnItsWayIsWaitedForButNotForEver) {
  Mute peer;
  peer.pass(limits::rekey_slow_max - 5s, false);
  EXPECT_FALSE(peer.end.closed);
  peer.pass(limits::rekey_time_max, false);
  peer.expect_left();
}

TEST(Rekey, AnEchoOfAPingFromBeforeTheOfferTellsNothing) {
  RekeyPair pair;
  pair.client.session.ping(pair.now);
  const auto ping = pair.client.give(pair.now);
  ASSERT_TRUE(pair.client.session.rekey(pair.now));
  const auto offer = pair.client.give(pair.now);
  pair.server.take(ping, pair.now);
  pair.client.take(pair.server.give(pair.now), pair.now);
  pair.now += limits::rekey_time_max;
  pair.client.session.on_deadline(pair.now);
  EXPECT_FALSE(pair.client.closed);
  pair.server.take(offer, pair.now);  // late, behind a minute of data
  pair.pump();
  EXPECT_EQ(pair.counts(), (Counts{1, 1}));
  pair.expect_open();
}

TEST(Rekey, AnyDamageToAMessageEndsTheSession) {
  for (std::size_t at = 0; at < 1'249; at += 31) {
    Liar peer;
    auto offer = peer.rekey.start(peer.random, peer.now).plaintext;
    ASSERT_EQ(offer.size(), 1'249U);
    offer[at] ^= std::byte{1};
    peer.send(FrameType::rekey, 0, offer);
    expect_closed(peer, at == 0 ? Code::malformed_frame : Code::auth_failed);
  }
  for (std::size_t at = 0; at < 1'153; at += 31) {
    Liar peer{Role::server};
    ASSERT_TRUE(peer.end.session.rekey(peer.now));
    auto outcome = peer.rekey.receive(peer.last_rekey(), false, peer.random, peer.now).value();
    ASSERT_EQ(outcome.mail->plaintext.size(), 1'153U);
    outcome.mail->plaintext[at] ^= std::byte{1};
    peer.send(FrameType::rekey, 0, outcome.mail->plaintext);
    expect_closed(peer, at == 0 ? Code::malformed_frame : Code::auth_failed);
  }
}

TEST(Rekey, AThiefWithoutTheStaticsCannotStartOne) {
  Liar peer;
  SeededRandom other{99};
  auto keys = rekey_keys(Role::client, algorithm);
  keys.rekey = std::make_shared<RekeyIdentity>(
      RekeyIdentity{crypto::X25519KeyPair::generate(other), keys.rekey->peer_static});
  Rekey thief{Role::client, keys, peer.now};
  peer.send(FrameType::rekey, 0, thief.start(peer.random, peer.now).plaintext);
  expect_closed(peer, Code::auth_failed);
}

TEST(Rekey, MessagesOutOfTurnOrOfWrongSizeEndTheSession) {
  const std::vector<Bytes> wrong{{},
                                 Bytes(1, std::byte{0}),
                                 Bytes(1, std::byte{1}),
                                 Bytes(1'248, std::byte{1}),
                                 Bytes(1'250, std::byte{1}),
                                 Bytes(1'153, std::byte{2}),
                                 Bytes(1, std::byte{3}),
                                 Bytes(2, std::byte{3}),
                                 Bytes(60'000, std::byte{1}),
                                 Bytes(1, std::byte{9})};
  for (const auto& plaintext : wrong) {
    Liar peer;
    peer.send(FrameType::rekey, 0, plaintext);
    expect_closed(peer, Code::malformed_frame);
  }
  Liar peer;
  peer.send(FrameType::rekey, 3, peer.rekey.start(peer.random, peer.now).plaintext);
  expect_closed(peer, Code::malformed_frame);
}

TEST(Rekey, ASecondOfferBeforeTheFirstIsDoneEndsTheSession) {
  Liar peer;
  const auto offer = peer.rekey.start(peer.random, peer.now).plaintext;
  peer.send(FrameType::rekey, 0, offer);
  ASSERT_EQ(peer.last_rekey().size(), 1'153U);
  peer.send(FrameType::rekey, 0, offer);
  ASSERT_TRUE(peer.end.closed);
  EXPECT_EQ(peer.end.closed->code, Code::malformed_frame);
}

TEST(Rekey, MoreOffersThanTheBucketHoldsAreAViolation) {
  Liar peer;
  for (unsigned i = 0; i < limits::rekey_bucket - 1; ++i) {
    peer.send(FrameType::rekey, 0, peer.rekey.start(peer.random, peer.now).plaintext);
    auto outcome = peer.rekey.receive(peer.last_rekey(), false, peer.random, peer.now).value();
    peer.opener.rekey(*outcome.change);
    peer.send(FrameType::rekey, 0, outcome.mail->plaintext);
    peer.sealer.rekey(*outcome.mail->change);
    ASSERT_FALSE(peer.end.closed);
  }
  EXPECT_EQ(peer.end.session.statistics().rekeys, limits::rekey_bucket - 1);
  EXPECT_FALSE(peer.rekey.may_start(peer.now));  // an honest side keeps one in hand
  // A liar does not. The last token buys an offer that Noise refuses; without a token it is not even read.
  Rekey eager{Role::client, peer.keys, peer.now};
  const auto offer = eager.start(peer.random, peer.now).plaintext;
  peer.send(FrameType::rekey, 0, offer);
  expect_closed(peer, Code::auth_failed);
}

TEST(Rekey, OffersBeyondTheBucketAreNotRead) {
  SeededRandom random{1};
  const Instant now{1h};
  // The client's side of a session whose own offer is out: it passes one offer of the server over, each
  // charged.
  auto session_side = rekey_keys(Role::server, algorithm);
  Rekey rekey{Role::server, session_side, now};
  Rekey peer{Role::client, rekey_keys(Role::client, algorithm), now};
  for (unsigned i = 0; i < limits::rekey_bucket; ++i) {
    Rekey again{Role::client, rekey_keys(Role::client, algorithm), now};
    const auto offer = again.start(random, now).plaintext;
    EXPECT_TRUE(rekey.receive(offer, true, random, now)) << i;  // quiet: charged and passed over
  }
  const auto offer = peer.start(random, now).plaintext;
  EXPECT_EQ(rekey.receive(offer, false, random, now).error().code, Errc::exhausted);
  EXPECT_TRUE(rekey.receive(offer, false, random, now + limits::rekey_refill));
}

TEST(Rekey, WithoutIdentitiesTheFrameIsAnUnknownOne) {
  RawPeer peer;
  peer.greet();
  peer.send(FrameType::rekey, 0, Bytes(1'249, std::byte{1}));
  EXPECT_FALSE(peer.end.closed);
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, 1U);
}

}  // namespace
}  // namespace village::htx
