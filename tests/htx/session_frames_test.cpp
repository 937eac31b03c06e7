// Frames and capabilities, rule by rule, against a peer written by hand.
#include "htx/raw_peer.hpp"
#include "support/vectors.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using test::expect_closed;
using test::pattern;
using test::RawPeer;

// --- frames

TEST(SessionFrames, UnknownTypesAreIgnoredAndCounted) {
  RawPeer peer;
  peer.greet();
  const auto before = peer.end.session.statistics().frames_ignored;
  for (const int type : {0x07, 0x08, 0x20, 0x7F, 0xFF}) {
    peer.send(static_cast<FrameType>(type), 3, as_bytes("anything"), 77);
  }
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, before + 5);
  EXPECT_TRUE(peer.end.opened.empty());
  EXPECT_FALSE(peer.end.closed);
}

TEST(SessionFrames, PaddingIsDiscarded) {
  RawPeer peer;
  peer.greet();
  peer.send(FrameType::padding, 0, pattern(plaintext_bytes_max, 1));
  peer.send(FrameType::padding, 0, {});
  EXPECT_FALSE(peer.end.closed);
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, 0U);
}

TEST(SessionFrames, AStreamThatEndsUnderTheNextFramesEyesIsGone) {
  // The receiver looks at the id of the next frame before it handles this one.
  RawPeer peer;
  peer.greet();
  peer.data(3, 0, as_bytes("a"));
  peer.data(5, 0, as_bytes("b"));
  Bytes close(close_head_bytes);
  encode_close_head(Code::ok, 0, ByteSpan{close}.first<close_head_bytes>());
  Bytes in;
  const auto add = [&](const Bytes& frame) { in.insert(in.end(), frame.begin(), frame.end()); };
  add(peer.seal(FrameType::close, 5, close));
  add(peer.seal(FrameType::stream, 5, RawPeer::stream_plaintext(1, as_bytes("late"))));
  add(peer.seal(FrameType::stream, 7, RawPeer::stream_plaintext(0, as_bytes("new"))));
  add(peer.seal(FrameType::stream, 7, RawPeer::stream_plaintext(3, as_bytes("er"))));
  add(peer.seal(FrameType::stream, 3, RawPeer::stream_plaintext(1, as_bytes("more"))));
  const auto ignored = peer.end.session.statistics().frames_ignored;
  peer.end.take(in, peer.now);
  EXPECT_FALSE(peer.end.closed);
  EXPECT_EQ(peer.end.session.statistics().frames_ignored, ignored + 1);
  EXPECT_EQ(peer.end.session.stream_statistics(3)->bytes_in, 5U);
  EXPECT_EQ(peer.end.session.stream_statistics(7)->bytes_in, 5U);
  EXPECT_FALSE(peer.end.session.stream_statistics(5));
}

struct BadFrame {
  const char* what;
  FrameType type;
  StreamId stream;
  Bytes plaintext;
  std::uint16_t aad = 0;
};

class MalformedFrames : public testing::TestWithParam<BadFrame> {};

std::vector<BadFrame> bad_frames() {
  const auto bytes = [](std::string_view hex_text) { return test::hex(hex_text); };
  return {
      {"stream too short", FrameType::stream, 3, Bytes(10)},
      {"stream with unknown flag", FrameType::stream, 3, bytes("0200000000000000000000")},
      {"stream shorter than it says", FrameType::stream, 3, bytes("0000000000000000000002aa")},
      {"stream longer than it says", FrameType::stream, 3, bytes("0000000000000000000001aabb")},
      {"stream with aad", FrameType::stream, 3, bytes("0000000000000000000001aa"), 1},
      {"stream data behind offset 2^64", FrameType::stream, 3, bytes("00ffffffffffffffff0001aa")},
      {"window update without credit", FrameType::window_update, 0, bytes("0000000000")},
      {"window update of scope 2", FrameType::window_update, 0, bytes("0200000001")},
      {"window update of the connection on a stream", FrameType::window_update, 3, bytes("0000000001")},
      {"window update of no stream", FrameType::window_update, 0, bytes("0100000001")},
      {"window update too long", FrameType::window_update, 0, bytes("000000000100")},
      {"ping of 7 bytes", FrameType::ping, 0, Bytes(7)},
      {"ping on a stream", FrameType::ping, 3, Bytes(8)},
      {"ping with aad 2", FrameType::ping, 0, Bytes(8), 2},
      {"key update with content", FrameType::key_update, 0, Bytes(1)},
      {"key update on a stream", FrameType::key_update, 3, {}},
      {"close too short", FrameType::close, 0, Bytes(3)},
      {"close shorter than it says", FrameType::close, 0, bytes("00000002aa")},
      {"close longer than it says", FrameType::close, 0, bytes("00000000aa")},
      {"reset of a stream of ours that never was", FrameType::close, 4, bytes("00000000")},
      {"credit for a stream of ours that never was", FrameType::window_update, 4, bytes("0100000001")},
      {"reset of stream 1", FrameType::close, 1, bytes("00000000")},
      {"padding on a stream", FrameType::padding, 3, {}},
  };
}

INSTANTIATE_TEST_SUITE_P(SessionFrames, MalformedFrames, testing::ValuesIn(bad_frames()));

TEST_P(MalformedFrames, EndTheSession) {
  const auto& bad = GetParam();
  SCOPED_TRACE(bad.what);
  RawPeer peer;
  peer.collect();
  peer.send(bad.type, bad.stream, bad.plaintext, bad.aad);
  ASSERT_TRUE(peer.end.error);
  EXPECT_EQ(peer.end.error->detail, static_cast<std::uint32_t>(Code::malformed_frame));
  expect_closed(peer, Code::malformed_frame);
}

TEST(SessionFrames, LengthsAreJudgedBeforeTheFrameIsThere) {
  for (const std::uint32_t length : {0U, 22U, 65'533U, 65'536U, 0xFF'FFFFU}) {
    RawPeer peer;
    peer.collect();
    Bytes start(3);
    detail::store(start.data(), length, 3);
    peer.end.take(start, peer.now);
    ASSERT_TRUE(peer.end.error) << length;
    EXPECT_EQ(peer.end.error->code, Errc::malformed);
    EXPECT_EQ(peer.end.error->detail, static_cast<std::uint32_t>(Code::malformed_frame));
    expect_closed(peer, Code::malformed_frame);
  }
}

TEST(SessionFrames, SmallestAndLargestFramesAreTaken) {
  RawPeer peer;
  peer.greet();
  peer.send(FrameType::padding, 0, {});  // Len 23
  const auto data = pattern(stream_data_bytes_max, 1);
  peer.data(3, 0, data);  // Len 65,532
  EXPECT_EQ(peer.end.received[3], data);
  EXPECT_FALSE(peer.end.closed);
}

TEST(SessionFrames, MayBeSplitAtEveryByte) {
  for (std::size_t cut = 0; cut < 120; ++cut) {
    RawPeer peer;
    peer.greet();
    auto bytes = peer.seal(FrameType::stream, 3, RawPeer::stream_plaintext(0, as_bytes("first")));
    const auto second =
        peer.seal(FrameType::stream, 3, RawPeer::stream_plaintext(5, as_bytes("second"), true));
    bytes.insert(bytes.end(), second.begin(), second.end());
    const auto at = std::min(cut, bytes.size());
    peer.end.take(ByteView{bytes}.first(at), peer.now);
    peer.end.take(ByteView{bytes}.subspan(at), peer.now);
    EXPECT_EQ(peer.end.received[3], to_bytes("firstsecond"));
    EXPECT_TRUE(peer.end.finished.contains(3));
    EXPECT_TRUE(peer.end.inbox.empty());
  }
}

TEST(SessionFrames, AFlippedBitAnywhereReleasesNothing) {
  RawPeer sample;
  const auto size =
      sample.seal(FrameType::stream, 3, RawPeer::stream_plaintext(0, as_bytes("secret"))).size();
  for (std::size_t bit = 3 * 8; bit < size * 8; ++bit) {  // behind Len, which is judged by itself
    RawPeer peer;
    peer.greet();
    auto bytes = peer.seal(FrameType::stream, 3, RawPeer::stream_plaintext(0, as_bytes("secret")));
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const auto used = peer.end.session.receive(bytes, peer.now);
    ASSERT_FALSE(used);
    EXPECT_EQ(used.error().code, Errc::auth_failed);
    EXPECT_EQ(as_text(bytes).find("secret"), std::string_view::npos);
    peer.end.drain_events(peer.now);
    EXPECT_TRUE(peer.end.received.empty() && peer.end.opened.empty());
    expect_closed(peer, Code::auth_failed);
  }
}

TEST(SessionFrames, FramesBeforeADamagedOneStillCount) {
  RawPeer peer;
  peer.greet();
  auto bytes = peer.seal(FrameType::stream, 3, RawPeer::stream_plaintext(0, as_bytes("good")));
  auto bad = peer.seal(FrameType::stream, 3, RawPeer::stream_plaintext(4, as_bytes("bad")));
  bad.back() ^= std::byte{1};
  bytes.insert(bytes.end(), bad.begin(), bad.end());
  peer.end.take(bytes, peer.now);
  EXPECT_EQ(peer.end.received[3], to_bytes("good"));
  expect_closed(peer, Code::auth_failed);
}

TEST(SessionFrames, AReplayedFrameFails) {
  RawPeer peer;
  peer.greet();
  const auto bytes = peer.seal(FrameType::stream, 3, RawPeer::stream_plaintext(0, as_bytes("x")));
  peer.end.take(bytes, peer.now);
  peer.end.take(bytes, peer.now);
  expect_closed(peer, Code::auth_failed);
}

// --- capabilities

TEST(SessionCapabilities, WrongMessagesEndTheSession) {
  const auto with = [](const Capabilities& capabilities) {
    auto cbor = encode_capabilities(capabilities);
    Bytes message{static_cast<std::byte>(cbor.size() >> 8), static_cast<std::byte>(cbor.size())};
    message.insert(message.end(), cbor.begin(), cbor.end());
    return message;
  };
  Capabilities foreign;
  foreign.l2 = {"betanet/htx/9.9.9"};
  const std::vector<std::pair<Bytes, Code>> cases{
      {with(foreign), Code::version_negotiation_failed},
      {test::hex("0001a0"), Code::malformed_frame},    // an empty map
      {test::hex("000101"), Code::malformed_frame},    // no map
      {test::hex("0000"), Code::malformed_frame},      // no message
      {test::hex("1001"), Code::malformed_frame},      // 4,097 bytes
      {test::hex("0002a001"), Code::malformed_frame},  // something behind the map
  };
  for (const auto& [message, code] : cases) {
    RawPeer peer;
    peer.collect();
    peer.data(1, 0, message);
    expect_closed(peer, code);
  }
}

TEST(SessionCapabilities, ListsAreBounded) {
  Capabilities many;
  many.l3.assign(limits::capability_ids_max, "x");
  EXPECT_TRUE(decode_capabilities(encode_capabilities(many)));
  many.l3.emplace_back("y");
  EXPECT_EQ(decode_capabilities(encode_capabilities(many)).error().code, Errc::limit_exceeded);
  Capabilities greedy;
  greedy.streams = 0xFFFF'FFFF;
  EXPECT_EQ(decode_capabilities(encode_capabilities(greedy))->streams, limits::peer_streams_max);
}

TEST(SessionCapabilities, ASelectionForOtherCapabilitiesIsRefused) {
  for (const auto role : {Role::client, Role::server}) {
    RawPeer peer{role};
    CapabilityExchange honest{role, peer.keys.local_key, peer.keys.peer_key, 5};
    // The raw peer says 5 streams to the session but selects as if it had said 6.
    CapabilityExchange liar{role, peer.keys.local_key, peer.keys.peer_key, 6};
    const auto hello = honest.take_output();
    liar.take_output();
    for (const auto& frame : peer.collect()) {
      if (frame.header.stream == 1 && frame.header.type == FrameType::stream) {
        EXPECT_TRUE(liar.receive(parse_stream_frame(frame.plaintext)->data));
      }
    }
    const auto selection = liar.take_output();
    if (selection.bytes.empty()) continue;  // the session decides in this role
    peer.data(1, 0, hello.bytes);
    peer.data(1, hello.bytes.size(), selection.bytes, true);
    expect_closed(peer, Code::auth_failed);
    return;
  }
  ADD_FAILURE() << "neither role lets the raw peer decide";
}

TEST(SessionCapabilities, TwoEndsWithOneKeyAreRefused) {
  CapabilityExchange a{Role::client, {}, {}, 1}, b{Role::server, {}, {}, 1};
  EXPECT_EQ(a.receive(b.take_output().bytes).error().code, Errc::auth_failed);
}

TEST(SessionCapabilities, ComeThroughByteByByte) {
  const auto keys = test::session_keys(Role::client, crypto::AeadAlgorithm::aes_256_gcm);
  CapabilityExchange a{Role::client, keys.local_key, keys.peer_key, 11};
  CapabilityExchange b{Role::server, keys.peer_key, keys.local_key, 12};
  for (int round = 0; round < 2; ++round) {
    for (const auto byte : a.take_output().bytes) ASSERT_TRUE(b.receive({&byte, 1}));
    for (const auto byte : b.take_output().bytes) ASSERT_TRUE(a.receive({&byte, 1}));
  }
  EXPECT_TRUE(a.complete() && b.complete());
  EXPECT_EQ(a.peer_streams(), 12U);
  EXPECT_EQ(b.peer_streams(), 11U);
}

TEST(SessionCapabilities, TheApplicationCannotTouchStreamOne) {
  test::Pair pair;
  EXPECT_EQ(pair.client.session.send(1, as_bytes("x"), true), 0U);
  pair.client.session.reset(1, Code::ok);
  pair.client.session.finish(1);
  pair.pump();
  EXPECT_TRUE(pair.client.ready && pair.server.ready);
}

}  // namespace
}  // namespace village::htx
