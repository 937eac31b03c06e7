#include "control/shape_recorder.hpp"

#include <algorithm>
#include <list>

#include "village/net/deadline.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"
#include "village/net/tls.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr Duration dial_time = std::chrono::seconds{10};
constexpr std::size_t answer_head_bytes_max = 16 * 1024;
constexpr std::size_t requests_each = 8;  ///< on one connection, before a fresh one shows its start again

using Records = std::vector<RecordSeen>;

/// Tap is a stream that looks at what passes.
class Tap final : public net::Stream {
 public:
  Tap(net::Core& core, net::StreamPtr under, Records& records)
      : core_{core}, under_{std::move(under)}, records_{records} {}

  net::Task<std::size_t> read_some(ByteSpan out) override {
    const auto read = co_await under_->read_some(out);
    if (read && records_.size() < recorded_records_max)
      (void)from_server_.take(out.first(*read), core_.clock().now(), records_);
    co_return read;
  }
  net::Task<void> write_all(ByteView in) override {
    if (records_.size() < recorded_records_max) (void)to_server_.take(in, core_.clock().now(), records_);
    return under_->write_all(in);
  }
  net::Task<void> shutdown_write() override { return under_->shutdown_write(); }
  void close() noexcept override { under_->close(); }
  net::Task<void> wait_readable() override { return under_->wait_readable(); }

 private:
  net::Core& core_;
  net::StreamPtr under_;
  Records& records_;
  RecordCutter from_server_{true}, to_server_{false};
};

/// Visit is one recording under way; everything on one core.
struct Visit {
  net::Core& core;
  const RecordOrder& order;
  Instant end;
  std::shared_ptr<net::TlsClientContext> tls;
  std::list<Records> connections{};  ///< stable addresses: taps write into them
  ShapeRecording recording{};
  std::optional<Error> failure{};

  Instant now() const { return core.clock().now(); }
  bool over() const { return now() >= end || connections.size() >= recorded_connections_max; }
  std::string host() const { return to_text(order.origin.host); }
};

/// Talk is one connection: what its reader and its speaker share.
struct Talk {
  std::unique_ptr<net::TlsStream> stream;
  Instant heard;
  bool ended = false;
  bool upgraded = false;
  bool refused = false;
  std::string head;  ///< of the answer to an upgrade
  WebSocketFrames frames;
  std::optional<Instant> last_ping;
  std::vector<Bytes> pongs;  ///< to be said
};

net::Task<std::unique_ptr<net::TlsStream>> open(Visit& visit) {
  const auto deadline = std::min(visit.end, net::after(visit.core, dial_time));
  net::TcpDialer dialer{visit.core};
  auto dialed = co_await dialer.dial(visit.order.origin, deadline);
  if (!dialed) co_return dialed.error();
  auto& records = visit.connections.emplace_back();
  net::TlsServerName server;
  if (std::holds_alternative<DomainName>(visit.order.origin.host)) server.sni = visit.host();
  server.trust.name = visit.host();
  server.trust.ca_pem = visit.order.ca_pem;
  auto tapped = std::make_unique<Tap>(visit.core, std::move(*dialed), records);
  co_return co_await net::TlsStream::connect(visit.core, std::move(tapped), visit.tls, std::move(server),
                                             deadline);
}

std::string request(const Visit& visit) {
  std::string text = "GET " + visit.order.path + " HTTP/1.1\r\nHost: " + visit.host() + "\r\n";
  if (visit.order.websocket) {
    ByteArray<16> key;
    visit.core.random().fill(key);
    text += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
            wire::base64(key) + "\r\n";
  } else {
    text += "Accept: */*\r\n";
  }
  return text + "User-Agent: villaged-shape\r\n\r\n";
}

/// pong is a client's frame: masked (RFC 6455 5.3).
Bytes pong(ByteView payload, RandomSource& random) {
  ByteArray<4> mask;
  random.fill(mask);
  Bytes frame{std::byte{0x8A}, static_cast<std::byte>(0x80 | payload.size())};
  frame.insert(frame.end(), mask.begin(), mask.end());
  for (std::size_t i = 0; i < payload.size(); ++i) frame.push_back(payload[i] ^ mask[i % 4]);
  return frame;
}

void hear_upgrade(Talk& talk, ByteView& bytes) {
  talk.head += as_text(bytes);
  const auto end = talk.head.find("\r\n\r\n");
  if (end == std::string::npos) {
    talk.refused = talk.head.size() > answer_head_bytes_max;
    bytes = {};
    return;
  }
  const auto behind = talk.head.size() - end - 4;
  bytes = bytes.last(behind);
  talk.refused = talk.head.find(" 101 ") > talk.head.find("\r\n");
  talk.upgraded = !talk.refused;
}

void hear(Visit& visit, Talk& talk, ByteView bytes) {
  talk.heard = visit.now();
  if (!visit.order.websocket) return;
  if (!talk.upgraded && !talk.refused) hear_upgrade(talk, bytes);
  if (!talk.upgraded) return;
  std::vector<WebSocketFrames::Control> controls;
  if (!talk.frames.take(bytes, controls)) talk.refused = true;
  for (auto& control : controls) {
    if (control.opcode != 9) continue;
    if (talk.last_ping) {
      visit.recording.server_ping_us.push_back(
          static_cast<std::uint64_t>((visit.now() - *talk.last_ping) / std::chrono::microseconds{1}));
    }
    talk.last_ping = visit.now();
    talk.pongs.push_back(pong(control.payload, visit.core.random()));
  }
}

asio::awaitable<void> listen(Visit& visit, Talk& talk) {
  Bytes buffer(64 * 1024);
  for (;;) {
    const auto read = co_await talk.stream->read_some(buffer);
    if (!read || *read == 0) break;
    hear(visit, talk, ByteView{buffer}.first(*read));
  }
  talk.ended = true;
}

/// speak asks, waits until the answer is over and a little longer, and asks again; a WebSocket asks once.
asio::awaitable<void> speak(Visit& visit, Talk& talk) {
  for (std::size_t asked = 0; !visit.over() && !talk.ended && !talk.refused; ++asked) {
    if (asked < (visit.order.websocket ? 1 : requests_each)) {
      const auto text = request(visit);
      const auto sent = co_await talk.stream->write_all(as_bytes(text));
      if (!sent) break;
    } else if (!visit.order.websocket) {
      break;
    }
    // A WebSocket asks once and then only listens.
    const Duration pause = visit.order.websocket
                               ? Duration::max()
                               : Duration{milliseconds{300 + visit.core.random().below(1'700)}};
    talk.heard = visit.now();
    while (!visit.over() && !talk.ended && !talk.refused && visit.now() - talk.heard < pause) {
      const auto next = std::min(visit.end, net::after(visit.core, milliseconds{20}));
      (void)co_await net::sleep_until(visit.core, next);
      const auto pongs = std::exchange(talk.pongs, {});
      for (const auto& frame : pongs) {
        const auto sent = co_await talk.stream->write_all(frame);
        if (!sent) talk.ended = true;
      }
    }
  }
}

/// talk_once gives false when the origin cannot be talked to.
asio::awaitable<bool> talk_once(Visit& visit) {
  auto opened = co_await open(visit);
  if (!opened) {
    visit.failure = opened.error();
    co_return false;
  }
  Talk talk;
  talk.stream = std::move(*opened);
  talk.heard = visit.now();
  net::Nursery listener{visit.core};
  listener.spawn([&visit, &talk] { return listen(visit, talk); });
  co_await speak(visit, talk);
  if (talk.refused) visit.failure = Error{Errc::auth_failed};
  if (talk.upgraded && talk.ended && !visit.over()) {
    visit.recording.server_timeout_us.push_back(
        static_cast<std::uint64_t>((visit.now() - talk.heard) / std::chrono::microseconds{1}));
  }
  talk.stream->close();
  listener.cancel();
  co_await listener.join();
  co_return !talk.refused;
}

asio::awaitable<void> ask(Visit& visit) {
  auto made = net::TlsClientContext::make({{"http/1.1"}, net::TlsVersion::v1_2});
  if (!made) {
    visit.failure = made.error();
    co_return;
  }
  visit.tls = std::move(*made);
  while (!visit.over()) {
    const bool fine = co_await talk_once(visit);
    if (!fine) break;
  }
}

asio::awaitable<void> copy(net::Stream& from, net::Stream& to) {
  Bytes buffer(64 * 1024);
  for (;;) {
    const auto read = co_await from.read_some(buffer);
    if (!read || *read == 0) break;
    const auto written = co_await to.write_all(ByteView{buffer}.first(*read));
    if (!written) break;
  }
  (void)co_await to.shutdown_write();
}

asio::awaitable<void> pass_on(Visit& visit, net::Accepted accepted) {
  if (visit.over()) co_return;
  const net::StreamPtr near = std::move(accepted.stream);
  net::TcpDialer dialer{visit.core};
  auto dialed = co_await dialer.dial(visit.order.origin, net::after(visit.core, dial_time));
  if (!dialed) {
    visit.failure = dialed.error();
    co_return;
  }
  Tap far{visit.core, std::move(*dialed), visit.connections.emplace_back()};
  net::Nursery both{visit.core};
  both.spawn([&] { return copy(*near, far); });
  both.spawn([&] { return copy(far, *near); });
  co_await both.join();
}

asio::awaitable<void> relay(Visit& visit, net::Listener& listener) {
  net::Nursery serving{visit.core};
  serving.spawn([&] {
    return listener.serve(visit.core, [&visit](net::Core&, net::Accepted accepted) {
      return pass_on(visit, std::move(accepted));
    });
  });
  (void)co_await net::sleep_until(visit.core, visit.end);
  serving.cancel();
  co_await serving.join();
}

}  // namespace

bool parse_origin(std::string_view text, RecordOrder& order) {
  const auto begins = [&text](std::string_view word) {
    if (text.substr(0, word.size()) != word) return false;
    text.remove_prefix(word.size());
    return true;
  };
  order.websocket = begins("wss://");
  if (!order.websocket) (void)begins("https://");
  const auto slash = std::min(text.find('/'), text.size());
  if (slash < text.size()) order.path = text.substr(slash);
  const bool printable =
      std::all_of(order.path.begin(), order.path.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  std::string authority{text.substr(0, slash)};
  const auto colon = authority.rfind(':');
  const bool has_port = colon != std::string::npos && authority.find(']', colon) == std::string::npos &&
                        (authority.front() == '[' || authority.find(':') == colon);
  if (!has_port) authority += ":443";
  auto target = parse_target(authority);
  if (!target || !printable) return false;
  order.origin = *std::move(target);
  return true;
}

Result<ShapeRecording> record_shape(const RecordOrder& order,
                                    const std::function<void(const std::string&)>& listening) {
  std::unique_ptr<net::Listener> listener;
  if (order.relay) {
    VG_TRY(bound, net::Listener::bind_tcp(*order.relay, 1));
    listener = std::move(bound);
    listening(listener->name());
  }
  net::Runtime runtime{1};
  runtime.start();
  std::optional<Error> failure;
  auto recording = runtime.call(0, [&](net::Core& core) -> asio::awaitable<ShapeRecording> {
    Visit visit{core, order, net::after(core, order.time), {}};
    if (listener) {
      co_await relay(visit, *listener);
    } else {
      co_await ask(visit);
    }
    for (auto& records : visit.connections) visit.recording.connections.push_back(std::move(records));
    failure = visit.failure;
    co_return std::move(visit.recording);
  });
  listener.reset();
  runtime.stop();
  runtime.join();
  const bool useless = recording.connections.size() < 2;  // one that failed, and none that did not
  if (recording.records() == 0 || (failure && (failure->code == Errc::auth_failed || useless))) {
    return failure.value_or(Error{Errc::timed_out});
  }
  return recording;
}

// RFC 6455 5.2: opcode 4, length 7 or 16 or 64; a server's frames are not masked.
bool WebSocketFrames::head(std::byte next) {
  head_.push_back(next);
  const auto at = [this](std::size_t i) { return std::to_integer<std::uint64_t>(head_[i]); };
  if (head_.size() < 2) return true;
  if ((at(1) & 0x80) != 0) return false;
  const std::size_t more = at(1) == 126 ? 2 : at(1) == 127 ? 8 : 0;
  if (head_.size() < 2 + more) return true;
  left_ = more == 0 ? at(1) : 0;
  for (std::size_t i = 0; i < more; ++i) left_ = left_ << 8 | at(2 + i);
  in_payload_ = true;
  return (at(0) & 0x0F) < 8 || left_ <= 125;
}

bool WebSocketFrames::take(ByteView bytes, std::vector<Control>& out) {
  for (std::size_t at = 0; at < bytes.size() || (in_payload_ && left_ == 0);) {
    if (!in_payload_) {
      if (!head(bytes[at++])) return false;
      continue;
    }
    const auto opcode = static_cast<std::uint8_t>(std::to_integer<unsigned>(head_[0]) & 0x0F);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
    const auto piece = bytes.subspan(at, count);
    if (opcode >= 8) payload_.insert(payload_.end(), piece.begin(), piece.end());
    at += count;
    left_ -= count;
    if (left_ > 0) break;
    if (opcode >= 8) out.push_back({opcode, std::exchange(payload_, {})});
    head_.clear();
    in_payload_ = false;
  }
  return true;
}

}  // namespace village::control
