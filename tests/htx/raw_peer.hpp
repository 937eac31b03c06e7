#pragma once
// RawPeer: the other end of a session, written by hand, so that a test can send any frame and see every
// frame.
#include "htx/capabilities.hpp"
#include "htx/pair.hpp"
#include "village/htx/keys.hpp"

namespace village::test {

struct SeenFrame {
  FrameHeader header;
  Bytes plaintext;
};

struct RawPeer {
  /// A raw peer in role `role` against the other role's session. `algorithm` as everywhere.
  explicit RawPeer(Role role_ = Role::client, Settings settings = {})
      : RawPeer{role_, settings, session_keys} {}
  /// `make_keys` is session_keys or rekey_keys.
  using MakeKeys = SessionKeys(Role, crypto::AeadAlgorithm, std::uint64_t);
  RawPeer(Role role_, Settings settings, MakeKeys make_keys)
      : role{role_},
        keys{make_keys(role_, crypto::AeadAlgorithm::chacha20_poly1305, 1)},
        sealer{keys.algorithm,
               (role_ == Role::client ? keys.client_to_server : keys.server_to_client).clone()},
        opener{keys.algorithm,
               (role_ == Role::client ? keys.server_to_client : keys.client_to_server).clone()},
        end{Session{other(role_), make_keys(other(role_), crypto::AeadAlgorithm::chacha20_poly1305, 1),
                    settings, random, now}} {}

  static Role other(Role role) { return role == Role::client ? Role::server : Role::client; }

  // --- frames to the session
  Bytes seal(FrameType type, StreamId stream, ByteView plaintext, std::uint16_t aad = 0) {
    const auto header = frame_header(type, stream, plaintext.size(), aad);
    Bytes out(header.frame_bytes());
    EXPECT_TRUE(sealer.seal(header, plaintext, {}, out));
    return out;
  }
  void send(FrameType type, StreamId stream, ByteView plaintext, std::uint16_t aad = 0) {
    end.take(seal(type, stream, plaintext, aad), now);
  }
  static Bytes stream_plaintext(std::uint64_t offset, ByteView data, bool fin = false) {
    Bytes plaintext(stream_head_bytes + data.size());
    encode_stream_head(fin, offset, data.size(), ByteSpan{plaintext}.first<stream_head_bytes>());
    std::copy(data.begin(), data.end(), plaintext.begin() + stream_head_bytes);
    return plaintext;
  }
  void data(StreamId stream, std::uint64_t offset, ByteView bytes, bool fin = false) {
    send(FrameType::stream, stream, stream_plaintext(offset, bytes, fin));
  }
  void credit(StreamId stream, std::uint32_t amount) {
    ByteArray<window_update_bytes> plaintext;
    encode_window_update({stream == 0, amount}, plaintext);
    send(FrameType::window_update, stream, plaintext);
  }
  void close(StreamId stream, Code code, std::string_view reason = "") {
    Bytes plaintext(close_head_bytes + reason.size());
    encode_close_head(code, reason.size(), ByteSpan{plaintext}.first<close_head_bytes>());
    std::copy_n(as_bytes(reason).begin(), reason.size(), plaintext.begin() + close_head_bytes);
    send(FrameType::close, stream, plaintext);
  }
  void update_key() {
    send(FrameType::key_update, 0, {});
    sealer.update();
  }
  /// greet does our part of the capability exchange; then the session is ready.
  void greet(std::uint32_t streams = 4'096) {
    CapabilityExchange exchange{role, keys.local_key, keys.peer_key, streams, keys.rekey != nullptr};
    std::uint64_t offset = 0;
    for (int i = 0; i < 3; ++i) {
      const auto out = exchange.take_output();
      if (!out.bytes.empty()) data(1, offset, out.bytes, out.last);
      offset += out.bytes.size();
      for (const auto& frame : collect()) {
        if (frame.header.type != FrameType::stream || frame.header.stream != 1) continue;
        EXPECT_TRUE(exchange.receive(parse_stream_frame(frame.plaintext)->data));
      }
    }
    EXPECT_TRUE(exchange.complete());
    EXPECT_TRUE(end.ready);
  }

  // --- frames from the session
  /// collect opens everything the session sends now, following its key updates.
  std::vector<SeenFrame> collect() {
    std::vector<SeenFrame> frames;
    auto bytes = end.give(now);
    for (ByteSpan rest{bytes}; !rest.empty();) {
      const auto size = frame_size(rest);
      if (!size || *size > rest.size()) {
        ADD_FAILURE() << "a frame is cut";
        break;
      }
      const auto header = decode_header(rest.first<frame_header_bytes>());
      const auto plaintext = opener.open(rest.first(*size));
      if (!plaintext) {
        ADD_FAILURE() << "a frame does not open";
        break;
      }
      frames.push_back({header, to_bytes(*plaintext)});
      if (header.type == FrameType::key_update) opener.update();
      rest = rest.subspan(*size);
    }
    return frames;
  }
  /// credit_told sums up the credit that `frames` give `stream` (0 = connection).
  static std::uint64_t credit_told(const std::vector<SeenFrame>& frames, StreamId stream) {
    std::uint64_t sum = 0;
    for (const auto& frame : frames) {
      if (frame.header.type != FrameType::window_update || frame.header.stream != stream) continue;
      sum += parse_window_update(frame.plaintext)->credit;
    }
    return sum;
  }
  static std::size_t count(const std::vector<SeenFrame>& frames, FrameType type) {
    std::size_t sum = 0;
    for (const auto& frame : frames) sum += frame.header.type == type ? 1 : 0;
    return sum;
  }
  /// data_of joins the data that `frames` carry for `stream`.
  static Bytes data_of(const std::vector<SeenFrame>& frames, StreamId stream) {
    Bytes data;
    for (const auto& frame : frames) {
      if (frame.header.type != FrameType::stream || frame.header.stream != stream) continue;
      const auto piece = parse_stream_frame(frame.plaintext)->data;
      data.insert(data.end(), piece.begin(), piece.end());
    }
    return data;
  }

  Role role;
  SeededRandom random{3};
  Instant now{std::chrono::hours{1}};
  SessionKeys keys;
  RecordSealer sealer;
  RecordOpener opener;
  End end;
};

/// expect_closed: the session ended itself with `code` and tells it in a last frame.
inline void expect_closed(RawPeer& peer, Code code) {
  ASSERT_TRUE(peer.end.closed);
  EXPECT_EQ(peer.end.closed->code, code) << name(peer.end.closed->code);
  EXPECT_FALSE(peer.end.closed->by_peer);
  const auto frames = peer.collect();
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames.back().header.type, FrameType::close);
  EXPECT_EQ(frames.back().header.stream, 0U);
  EXPECT_EQ(parse_close(frames.back().plaintext)->code, code);
  EXPECT_TRUE(peer.end.session.closed());
}

}  // namespace village::test
