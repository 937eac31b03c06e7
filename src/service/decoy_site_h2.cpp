#include "service/decoy_site_h2.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "service/buffer_pool.hpp"
#include "village/base/check.hpp"
#include "village/net/deadline.hpp"
#include "village/proxy/http_date.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {
namespace {

/// One request, and the answer to it while it leaves.
struct Exchange {
  std::string method, path, if_none_match, if_modified_since, range;
  std::size_t field_bytes = 0;
  bool answered = false;
  DecoySite::Reply reply;
  std::size_t sent = 0;
};

template <class T, void (*free)(T*)>
struct Free {
  void operator()(T* what) const { free(what); }
};
using Session = std::unique_ptr<nghttp2_session, Free<nghttp2_session, nghttp2_session_del>>;
using Callbacks = std::unique_ptr<nghttp2_session_callbacks,
                                  Free<nghttp2_session_callbacks, nghttp2_session_callbacks_del>>;
using Options = std::unique_ptr<nghttp2_option, Free<nghttp2_option, nghttp2_option_del>>;

const std::uint8_t* octets(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  // nghttp2 copies names and values, and changes neither.
  return {const_cast<std::uint8_t*>(octets(name)), const_cast<std::uint8_t*>(octets(value)), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct DecoySiteH2::State {
  std::shared_ptr<const DecoySite> site;
  Session session;
  std::map<std::int32_t, Exchange> exchanges;
  std::string date;
  std::size_t requests = 0;
  std::size_t nuisances = 0;
  std::size_t window_updates = 0;
  std::size_t data_frames = 0;
  std::size_t body_bytes = 0;
  bool ended = false;   ///< GOAWAY is on its way: nothing more is read
  bool broken = false;  ///< nothing more can be said

  void end(std::uint32_t code);
  void count(const nghttp2_frame_hd& frame);
  void take_field(std::int32_t id, std::string_view name, std::string_view value);
  void answer(std::int32_t id);
};

namespace {

using State = DecoySiteH2::State;

State& of(void* user) { return *static_cast<State*>(user); }

// What nghttp2 calls. Nothing may be thrown through it.

int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) noexcept {
  of(user).count(*frame);
  return 0;
}

int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
  auto& state = of(user);
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  if (state.ended || state.exchanges.size() >= limits::decoy_h2_streams_max)
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  state.exchanges.try_emplace(frame->hd.stream_id);
  return 0;
}

int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
              const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) noexcept {
  of(user).take_field(frame->hd.stream_id, as_text(as_bytes(name, name_size)),
                      as_text(as_bytes(value, value_size)));
  return 0;
}

int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
  if (frame->hd.type == NGHTTP2_HEADERS) of(user).answer(frame->hd.stream_id);
  return 0;
}

/// A body that comes in is dropped, and the windows are given back: a client that waits for room in them
/// would not read our answer. All bodies together have a bound.
int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t*, std::size_t size,
            void* user) noexcept {
  auto& state = of(user);
  state.body_bytes += size;
  if (state.body_bytes > limits::decoy_h2_body_bytes_max) state.end(NGHTTP2_NO_ERROR);
  return nghttp2_session_consume(session, id, size) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

int on_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
  if (frame->hd.type == NGHTTP2_DATA) ++of(user).data_frames;
  return 0;
}

int on_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) noexcept {
  of(user).exchanges.erase(id);
  return 0;
}

ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* out, std::size_t size,
                  std::uint32_t* flags, nghttp2_data_source*, void* user) noexcept {
  auto& state = of(user);
  const auto found = state.exchanges.find(id);
  if (found == state.exchanges.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  auto& exchange = found->second;
  const auto rest = exchange.reply.bytes().subspan(exchange.sent);
  const auto part = rest.first(std::min(size, rest.size()));
  if (!part.empty()) std::memcpy(out, part.data(), part.size());
  exchange.sent += part.size();
  if (part.size() == rest.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(part.size());
}

Callbacks make_callbacks() {
  nghttp2_session_callbacks* raw = nullptr;
  VG_CHECK(nghttp2_session_callbacks_new(&raw) == 0);
  nghttp2_session_callbacks_set_on_begin_frame_callback(raw, on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(raw, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(raw, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(raw, on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw, on_data);
  nghttp2_session_callbacks_set_on_frame_send_callback(raw, on_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(raw, on_closed);
  return Callbacks{raw};
}

Options make_options() {
  nghttp2_option* raw = nullptr;
  VG_CHECK(nghttp2_option_new(&raw) == 0);
  nghttp2_option_set_no_auto_window_update(raw, 1);
  nghttp2_option_set_no_closed_streams(raw, 1);
  nghttp2_option_set_max_outbound_ack(raw, limits::decoy_h2_acks_max);
  return Options{raw};
}

}  // namespace

void DecoySiteH2::State::end(std::uint32_t code) {
  if (!std::exchange(ended, true)) broken = nghttp2_session_terminate_session(session.get(), code) != 0;
}

void DecoySiteH2::State::count(const nghttp2_frame_hd& frame) {
  switch (frame.type) {
    case NGHTTP2_HEADERS:
      if (++requests > limits::decoy_h2_requests_max) end(NGHTTP2_NO_ERROR);
      return;
    case NGHTTP2_DATA:
      if (frame.length != 0) return;
      break;
    case NGHTTP2_WINDOW_UPDATE:
      // One for the connection and one for the stream for each frame of ours is what clients send at most.
      if (++window_updates > limits::decoy_h2_nuisances_max + 2 * data_frames) end(NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    default:
      break;
  }
  if (++nuisances > limits::decoy_h2_nuisances_max) end(NGHTTP2_ENHANCE_YOUR_CALM);
}

void DecoySiteH2::State::take_field(std::int32_t id, std::string_view name, std::string_view value) {
  const auto found = exchanges.find(id);
  if (found == exchanges.end() || found->second.answered) return;
  auto& exchange = found->second;
  exchange.field_bytes += name.size() + value.size() + 32;  // RFC 9113 6.5.2
  if (exchange.field_bytes > limits::decoy_h2_field_bytes_max) return;
  if (name == ":method") exchange.method = value;
  if (name == ":path") exchange.path = value;
  if (name == "if-none-match") exchange.if_none_match = value;
  if (name == "if-modified-since") exchange.if_modified_since = value;
  if (name == "range") exchange.range = value;
}

void DecoySiteH2::State::answer(std::int32_t id) {
  const auto found = exchanges.find(id);
  if (found == exchanges.end() || found->second.answered || ended) return;
  auto& exchange = found->second;
  exchange.answered = true;
  const auto path = proxy::parse_site_target(exchange.path);
  if (exchange.field_bytes > limits::decoy_h2_field_bytes_max) {
    exchange.reply = DecoySite::error(431, true);
  } else if (!path) {
    exchange.reply = DecoySite::error(exchange.method == "CONNECT" ? 405 : 400, true);
  } else {
    proxy::SiteRequest request;
    request.method = exchange.method;
    request.path = *path;
    request.if_none_match = exchange.if_none_match;
    request.if_modified_since = exchange.if_modified_since;
    request.range = exchange.range;
    exchange.reply = site->reply(request);
  }
  const auto& reply = exchange.reply;
  const auto status = std::to_string(reply.status);
  std::vector<nghttp2_nv> fields{field(":status", status), field("date", date)};
  std::vector<std::string> names;  // small letters (RFC 9113 8.2.1)
  names.reserve(reply.fields.size());
  for (const auto& [name, value] : reply.fields) {
    auto& small = names.emplace_back(name);
    for (auto& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    fields.push_back(field(small, value));
  }
  nghttp2_data_provider body{{0}, read_body};
  if (nghttp2_submit_response(session.get(), id, fields.data(), fields.size(),
                              reply.bytes().empty() ? nullptr : &body) != 0)
    end(NGHTTP2_INTERNAL_ERROR);
}

DecoySiteH2::DecoySiteH2(std::shared_ptr<const DecoySite> site) : state_{std::make_unique<State>()} {
  state_->site = std::move(site);
  const auto callbacks = make_callbacks();
  const auto options = make_options();
  nghttp2_session* raw = nullptr;
  VG_CHECK(nghttp2_session_server_new2(&raw, callbacks.get(), state_.get(), options.get()) == 0);
  state_->session.reset(raw);
  const std::array<nghttp2_settings_entry, 2> settings{
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits::decoy_h2_streams_max},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits::decoy_h2_field_bytes_max}}};
  VG_CHECK(nghttp2_submit_settings(raw, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
}

DecoySiteH2::~DecoySiteH2() = default;

void DecoySiteH2::on_bytes(ByteView in, std::string date) {
  auto& state = *state_;
  if (state.ended || state.broken) return;
  state.date = std::move(date);
  const auto* data = reinterpret_cast<const std::uint8_t*>(in.data());
  const auto taken = nghttp2_session_mem_recv(state.session.get(), data, in.size());
  if (taken == NGHTTP2_ERR_FLOODED) state.end(NGHTTP2_ENHANCE_YOUR_CALM);
  if (taken < 0) state.end(NGHTTP2_PROTOCOL_ERROR);
}

void DecoySiteH2::next(Bytes& out) {
  out.clear();
  while (!state_->broken && out.size() < limits::decoy_buffer_bytes) {
    const std::uint8_t* data = nullptr;
    const auto size = nghttp2_session_mem_send(state_->session.get(), &data);
    if (size < 0) state_->broken = true;
    if (size <= 0) return;
    const auto piece = as_bytes(data, static_cast<std::size_t>(size));
    out.insert(out.end(), piece.begin(), piece.end());
  }
}

bool DecoySiteH2::over() const {
  auto* session = state_->session.get();
  if (state_->broken) return true;
  const bool writes = nghttp2_session_want_write(session) != 0;
  return !writes && (state_->ended || nghttp2_session_want_read(session) == 0);
}

boost::asio::awaitable<void> DecoySiteH2::serve(std::shared_ptr<const DecoySite> site, net::Core& core,
                                                net::Stream& stream, Instant end) {
  DecoySiteH2 connection{std::move(site)};
  auto buffer = Buffer::lease(limits::decoy_buffer_bytes);
  Bytes out;
  bool gone = false;
  while (!gone) {
    for (connection.next(out); !out.empty(); connection.next(out)) {
      const auto deadline = std::min(end, net::after(core, limits::decoy_site_patience));
      const auto written = co_await net::with_deadline(core, stream.write_all(out), deadline);
      if (!written) co_return;
    }
    if (connection.over()) break;
    const auto deadline = std::min(end, net::after(core, limits::decoy_site_patience));
    const auto got = co_await net::with_deadline(core, stream.read_some(buffer.span()), deadline);
    gone = !got || *got == 0;
    if (!gone)
      connection.on_bytes(ByteView{buffer.span()}.first(*got), proxy::http_date(core.clock().wall()));
  }
  (void)co_await stream.shutdown_write();
  // As in HTTP/1.1: what was said last shall not be overtaken by a reset.
  const auto linger = std::min(end, net::after(core, limits::decoy_site_linger));
  while (!gone) {
    const auto got = co_await net::with_deadline(core, stream.read_some(buffer.span()), linger);
    gone = !got || *got == 0;
  }
}

}  // namespace village::service
