// A peer that speaks with the right keys: the harness seals whatever the input says, so that the fuzzer gets
// behind the AEAD, and reads all that the session answers.
//
//   byte 0   bit 0 role of the session, bits 1-3 settings
//   then operations, one byte and its operands (missing bytes are 0):
//     0-3  frame: type 8, stream 8, aad 8, length 8, plaintext       4-5  STREAM frame that follows the
//     rules: stream 8, 6    WINDOW_UPDATE: stream 8, credit 32                             flags 8, size 16
//     7    CLOSE: stream 8, code 8           8    KEY_UPDATE          9    PING: aad 8
//     10   bytes that no key sealed: length 8, bytes                 11   capabilities, as an honest peer
//     says them 12   the session sends: stream 8, size 16                      13   it consumes: stream 8,
//     size 16 14   it opens, resets, finishes or updates: what 8, stream 8   15   time passes: 32 bits of 256
//     ns
#include <algorithm>
#include <cstdint>
#include <map>

#include "htx/capabilities.hpp"
#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/htx/keys.hpp"
#include "village/htx/limits.hpp"
#include "village/htx/session.hpp"

using namespace village;
using namespace village::htx;

namespace {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_{as_bytes(data, size)} {}
  bool empty() const { return rest_.empty(); }
  std::uint32_t number(int bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) {
      value = value << 8 | (rest_.empty() ? 0U : std::to_integer<std::uint32_t>(rest_[0]));
      if (!rest_.empty()) rest_ = rest_.subspan(1);
    }
    return value;
  }
  ByteView bytes(std::size_t count) {
    const auto piece = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    return piece;
  }

 private:
  ByteView rest_;
};

SessionKeys keys_of(Role role) {
  SessionKeys keys;
  keys.client_to_server.fill()[0] = std::byte{1};
  keys.server_to_client.fill()[0] = std::byte{2};
  keys.local_key[0] = role == Role::client ? std::byte{3} : std::byte{4};
  keys.peer_key[0] = role == Role::client ? std::byte{4} : std::byte{3};
  return keys;
}

Settings settings_of(std::uint32_t bits) {
  Settings settings;
  if ((bits & 2) != 0) settings.peer_streams_max = 3;
  if ((bits & 4) != 0) settings.connection_window_max = settings.connection_window_start = 70'000;
  if ((bits & 8) != 0) settings.handshake_rtt = std::chrono::milliseconds{50};
  return settings;
}

/// Peer is the harness: it knows the keys, seals, opens, and checks what comes.
class Peer {
 public:
  explicit Peer(std::uint32_t bits)
      : own_role_{(bits & 1) == 0 ? Role::client : Role::server},
        role_{(bits & 1) == 0 ? Role::server : Role::client},
        session_{role_, keys_of(role_), settings_of(bits), random_, now_},
        sealer_{crypto::AeadAlgorithm::chacha20_poly1305, secret(own_role_)},
        opener_{crypto::AeadAlgorithm::chacha20_poly1305, secret(role_)},
        exchange_{own_role_, keys_of(own_role_).local_key, keys_of(own_role_).peer_key, 100} {}

  bool operate(Input& input);

 private:
  static crypto::Secret<32> secret(Role sender) {
    auto keys = keys_of(sender);
    return std::move(sender == Role::client ? keys.client_to_server : keys.server_to_client);
  }

  void frame(FrameType type, StreamId stream, ByteView plaintext, std::uint16_t aad = 0) {
    const auto header = frame_header(type, stream, plaintext.size(), aad);
    const auto before = inbox_.size();
    inbox_.resize(before + header.frame_bytes());
    VG_CHECK(sealer_.seal(header, plaintext, {}, ByteSpan{inbox_}.subspan(before)));
  }
  void stream_frame(StreamId stream, bool fin, ByteView data) {
    Bytes plaintext(stream_head_bytes + data.size());
    encode_stream_head(fin, offsets_[stream], data.size(), ByteSpan{plaintext}.first<stream_head_bytes>());
    std::copy(data.begin(), data.end(), plaintext.begin() + stream_head_bytes);
    offsets_[stream] += data.size();
    frame(FrameType::stream, stream, plaintext);
  }
  void close_frame(StreamId stream, std::uint16_t code) {
    ByteArray<close_head_bytes> plaintext;
    encode_close_head(static_cast<Code>(code), 0, plaintext);
    frame(FrameType::close, stream, plaintext);
  }
  void window_update(StreamId stream, std::uint32_t credit) {
    ByteArray<window_update_bytes> plaintext;
    encode_window_update({stream == 0, credit}, plaintext);
    frame(FrameType::window_update, stream, plaintext);
  }
  void capabilities() {
    const auto output = exchange_.take_output();
    if (!output.bytes.empty()) stream_frame(1, output.last, output.bytes);
  }

  void deliver();
  void drain_events();
  void read_answers();
  void on_answer(const FrameHeader& header, ByteView plaintext);
  void act(std::uint32_t what, StreamId stream);

  SeededRandom random_{1};
  Instant now_{std::chrono::hours{1}};
  Role own_role_, role_;
  Session session_;
  RecordSealer sealer_;
  RecordOpener opener_;
  CapabilityExchange exchange_;
  Bytes inbox_;
  Bytes outbox_ = Bytes(70'000);
  std::map<StreamId, std::uint64_t> offsets_;   ///< next offset that follows the rules, by stream
  std::map<StreamId, std::uint64_t> unread_;    ///< seen by the application, not consumed
  std::map<StreamId, std::uint64_t> answered_;  ///< next offset of the session's data
  std::uint64_t credit_ = limits::connection_credit_start;
  std::uint64_t answered_bytes_ = 0;
  bool told_closed_ = false;
  bool close_seen_ = false;
};

void Peer::deliver() {
  const auto used = session_.receive(inbox_, now_);
  drain_events();
  if (!used) {
    VG_CHECK(told_closed_);
    inbox_.clear();
    return;
  }
  inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(*used));
  VG_CHECK(inbox_.size() < frame_bytes_max);
}

void Peer::drain_events() {
  while (auto event = session_.poll_event()) {
    VG_CHECK(!told_closed_);
    told_closed_ = std::holds_alternative<SessionClosed>(*event);
    if (auto* data = std::get_if<StreamData>(&*event)) unread_[data->stream] += data->data.size();
    if (auto* reset = std::get_if<StreamReset>(&*event)) unread_[reset->stream] = 0;
  }
}

/// read_answers opens every frame of the session: each must verify, have a form, and keep to credit.
void Peer::read_answers() {
  while (const auto size = session_.poll_transmit(outbox_, now_)) {
    VG_CHECK(size <= outbox_.size());
    for (auto rest = ByteSpan{outbox_}.first(size); !rest.empty();) {
      VG_CHECK(!close_seen_);
      const auto frame_bytes = frame_size(rest);
      VG_CHECK(frame_bytes && *frame_bytes <= rest.size());
      const auto header = decode_header(rest.first<frame_header_bytes>());
      const auto plaintext = opener_.open(rest.first(*frame_bytes));
      VG_CHECK(plaintext.has_value());
      on_answer(header, *plaintext);
      rest = rest.subspan(*frame_bytes);
    }
  }
  drain_events();
}

void Peer::on_answer(const FrameHeader& header, ByteView plaintext) {
  switch (header.type) {
    case FrameType::stream: {
      const auto frame = parse_stream_frame(plaintext);
      VG_CHECK(frame && header.stream != 0 && frame->offset == answered_[header.stream]);
      answered_[header.stream] += frame->data.size();
      answered_bytes_ += frame->data.size();
      VG_CHECK(answered_bytes_ <= credit_);
      if (header.stream == 1) (void)exchange_.receive(frame->data);
      break;
    }
    case FrameType::window_update:
      VG_CHECK(parse_window_update(plaintext));
      break;
    case FrameType::key_update:
      opener_.update();
      break;
    case FrameType::ping:
      VG_CHECK(plaintext.size() == 8);
      break;
    case FrameType::close:
      VG_CHECK(parse_close(plaintext));
      close_seen_ = header.stream == 0;
      break;
    default:
      VG_CHECK(false);
  }
}

void Peer::act(std::uint32_t what, StreamId stream) {
  switch (what % 6) {
    case 0:
      (void)session_.open(static_cast<Priority>(what / 6 % 3));
      break;
    case 1:
      session_.reset(stream, Code::ok);
      unread_[stream] = 0;
      break;
    case 2:
      session_.finish(stream);
      break;
    case 3:
      session_.update_key();
      break;
    case 4:
      session_.ping(now_);
      break;
    default:
      if (what > 250) session_.close(Code::ok, "done", now_);
      session_.set_priority(stream, Priority::bulk);
  }
}

bool Peer::operate(Input& input) {
  static const Bytes data(65'535, std::byte{7});
  switch (input.number(1) % 16) {
    case 4:
    case 5: {
      const auto stream = input.number(1);
      const auto flags = input.number(1);
      stream_frame(stream, (flags & 1) != 0,
                   ByteView{data}.first(input.number(2) % (stream_data_bytes_max + 1)));
      break;
    }
    case 6: {
      const auto stream = input.number(1);
      const auto credit = input.number(4);
      if (stream == 0) credit_ += credit;
      window_update(stream, credit);
      break;
    }
    case 7: {
      const auto stream = input.number(1);
      close_frame(stream, static_cast<std::uint16_t>(input.number(1)));
      break;
    }
    case 8:
      frame(FrameType::key_update, 0, {});
      sealer_.update();
      break;
    case 9:
      frame(FrameType::ping, 0, Bytes(8), static_cast<std::uint16_t>(input.number(1)));
      break;
    case 10: {
      const auto raw = input.bytes(input.number(1));
      inbox_.insert(inbox_.end(), raw.begin(), raw.end());
      break;
    }
    case 11:
      capabilities();
      break;
    case 12: {
      const auto stream = input.number(1);
      (void)session_.send(stream, ByteView{data}.first(input.number(2)), false);
      break;
    }
    case 13: {
      const auto stream = input.number(1);
      auto& unread = unread_[stream];
      const auto size = std::min<std::uint64_t>(unread, input.number(2));
      if (size > 0) session_.consume(stream, size, now_);
      unread -= size;
      break;
    }
    case 14: {
      const auto what = input.number(1);
      act(what, input.number(1));
      break;
    }
    case 15:
      now_ += std::chrono::nanoseconds{std::uint64_t{input.number(4)} * 256};
      if (const auto due = session_.next_deadline(); due && *due <= now_) session_.on_deadline(now_);
      break;
    default: {
      const auto type = static_cast<FrameType>(input.number(1));
      const auto stream = input.number(1);
      const auto aad = static_cast<std::uint16_t>(input.number(1));
      frame(type, stream, input.bytes(input.number(1)), aad);
    }
  }
  deliver();
  read_answers();
  return !session_.closed();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 20'000) return 0;
  Input input{data, size};
  Peer peer{input.number(1)};
  while (!input.empty() && peer.operate(input)) {
  }
  return 0;
}
