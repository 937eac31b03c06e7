#include "village/htx/session.hpp"

#include <algorithm>

#include "htx/session_state.hpp"
#include "village/base/check.hpp"
#include "village/base/limits.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

constexpr village::limits::Row rows[] = {
    {"htx", "handshake_flight_bytes_max", limits::handshake_flight_bytes_max, 1, "one flight of a handshake"},
    {"htx", "peer_streams_max", limits::peer_streams_max, sizeof(Stream),
     "streams that a peer may open, by configuration"},
    {"htx", "streams_unread_max", limits::streams_unread_max, sizeof(Stream),
     "ended streams with unread data"},
    {"htx", "connection_window_bytes_max", limits::connection_window_bytes_max, 1,
     "data of one session that the application has not read"},
    {"htx", "session_unsent_bytes_max", limits::session_unsent_bytes_max, 1,
     "data of one session not sent yet"},
    {"htx", "stream_unsent_share_bytes", limits::stream_unsent_share_bytes, 1,
     "what a stream may queue above that"},
    {"htx", "capability_message_bytes_max", limits::capability_message_bytes_max, 1, "CapMsg or SelMsg"},
    {"htx", "ping_echoes_max", limits::ping_echoes_max, sizeof(PingPayload), "echoes that wait to be sent"},
    {"htx", "reset_reasons_bytes_max", limits::reset_reasons_bytes_max, 1, "texts of resets not sent yet"},
    {"htx", "stream_datagram_bytes_max", limits::stream_datagram_bytes_max, 1,
     "datagrams of one stream not sent yet, more are dropped"},
    {"htx", "session_datagram_bytes_max", limits::session_datagram_bytes_max, 1,
     "datagrams of one session not sent yet, more are dropped"},
    {"htx", "idle_frames_burst", limits::idle_frames_burst, 0,
     "frames that carry nothing at once, more end the session"},
    {"htx", "resets_burst", limits::resets_burst, 0,
     "resets by a peer at once, then its new streams are refused"},
    {"htx", "refusals_max", limits::refusals_max, 8, "resets that wait to be sent, more end the session"},
    {"htx", "key_update_bucket", limits::key_update_bucket, 0, "key updates at once beyond the free ones"},
    {"htx", "rekey_bucket", limits::rekey_bucket, 0,
     "re-handshakes at once, each a few hundred microseconds"},
    {"htx", "message_kept_bytes", limits::message_kept_bytes, 1, "kept by a message reader for reuse"},
    {"htx", "pooled_bytes_max", limits::pooled_bytes_max, 1,
     "send blocks kept by a thread for reuse, no more than were in use"},
    {"htx", "pooled_idle_bytes_max", limits::pooled_idle_bytes_max, 1,
     "of those, when its sessions fall idle"},
};
const bool declared [[maybe_unused]] = village::limits::declare(rows);

Settings bounded(Settings settings) {
  settings.chunk_bytes = std::clamp<std::uint32_t>(settings.chunk_bytes, 1, stream_data_bytes_max);
  settings.peer_streams_max = std::min(settings.peer_streams_max, limits::peer_streams_max);
  settings.connection_window_max =
      std::min(settings.connection_window_max, limits::connection_window_bytes_max);
  settings.stream_window_max = std::min(settings.stream_window_max, settings.connection_window_max / 2);
  settings.stream_window_start = std::min(settings.stream_window_start, settings.stream_window_max);
  settings.connection_window_start =
      std::min(settings.connection_window_start, settings.connection_window_max);
  constexpr std::size_t capability_bytes = 2 * (2 + limits::capability_message_bytes_max);
  settings.send_buffer_bytes = std::max(settings.send_buffer_bytes, capability_bytes);
  return settings;
}

}  // namespace

Session::State::State(Role role_, SessionKeys&& keys, const Settings& settings_, RandomSource& random_,
                      Instant now_)
    : role{role_},
      settings{bounded(settings_)},
      random{random_},
      now{now_},
      streams{role_, random_.u64()},
      receiver{keys.algorithm,
               std::move(role_ == Role::client ? keys.server_to_client : keys.client_to_server), now_},
      sender{keys.algorithm, std::move(role_ == Role::client ? keys.client_to_server : keys.server_to_client),
             settings,       *this,
             statistics,     now_},
      window{limits::connection_credit_start, now_},
      rekey{role_, keys, now_},
      rekey_retry{now_},
      capabilities{role_, keys.local_key, keys.peer_key, settings.peer_streams_max, rekey.able()},
      idle_frames{limits::idle_frames_burst, limits::idle_frames_per_second, now_},
      resets_taken{limits::resets_burst, limits::resets_per_second, now_},
      pacing{settings.shape, role_, random_, now_},
      ping_time{now_},
      heard_time{now_},
      busy_time{now_},
      silence_max{settings.ping_interval / 4 +
                  Duration{static_cast<Duration::rep>(
                      random_.below(static_cast<std::uint64_t>(settings.ping_interval.count()) / 4 + 1))}},
      silent_since{now_},
      drain_end{now_} {
  statistics.rtt = settings.handshake_rtt;
  streams.add_internal(now);
  send_capabilities();
  raise_connection(std::max(settings.connection_window_start, limits::connection_credit_start));
  if (statistics.rtt == Duration{0}) ping();
}

// --- sending

/// transmit writes what waits, then padding: never instead of data, never beside more than fits a record.
std::size_t Session::State::transmit(ByteSpan out) {
  const auto data_before = moved_out();
  auto size = sender.transmit(out, now);
  if (!pacing.shaped()) return size;
  if (moved_out() != data_before) pacing.moved(random, now);
  if (!sender.close_queued()) pad(out, size);
  return size;
}

void Session::State::pad(ByteSpan out, std::size_t& size) {
  const auto wanted = size != 0 ? pacing.padded(size, random) : pacing.waiting();
  pacing.sent_waiting();
  if (wanted <= size) return;
  const auto padded = sender.pad(out.subspan(size), wanted - size);
  statistics.padding_bytes_out += padded;
  size += padded;
}

void Session::State::send_capabilities() {
  auto output = capabilities.take_output();
  if (output.bytes.empty()) return;
  Stream* const stream = streams.find(1);
  VG_CHECK(stream != nullptr);
  sender.push(*stream, output.bytes, output.last);
}

void Session::State::on_room(Stream& stream) { events.push({EventKind::writable, Code::ok, stream.id}); }

void Session::State::on_fin_sent(Stream& stream) {
  if (stream.ended()) count_ended(stream);
  settle(stream);
}

// --- streams

void Session::State::count_ended(const Stream& stream) {
  if (stream.internal) return;
  --(streams.is_own(stream.id) ? open_own : open_peer);
  if (stream.window.unread() > 0) ++unread_ended;
}

void Session::State::settle(Stream& stream) {
  if (!stream.ended() || stream.window.unread() > 0) return;
  sender.forget(stream);
  streams.erase(stream);
}

void Session::State::drop(Stream& stream) {
  if (!stream.ended()) {
    --(streams.is_own(stream.id) ? open_own : open_peer);
  } else {
    --unread_ended;
  }
  consume_connection(stream.window.unread());
  sender.forget(stream);
  streams.erase(stream);
}

void Session::State::raise_window(Stream& stream, std::uint32_t size) {
  sender.tell_credit(stream, stream.window.raise(size, now));
  largest_stream_window = std::max(largest_stream_window, stream.window.window());
  if (std::uint64_t{largest_stream_window} * 2 > window.window()) {
    raise_connection(static_cast<std::uint32_t>(
        std::min<std::uint64_t>(std::uint64_t{largest_stream_window} * 2, settings.connection_window_max)));
  }
}

void Session::State::consume_connection(std::uint64_t bytes) {
  const auto credit = window.consume(bytes, now, statistics.rtt, settings.connection_window_max);
  if (credit > 0) sender.tell_connection_credit(credit);
  if (relief_time != Instant::max() && !crowded()) relief_time = Instant::max();
}

void Session::State::raise_connection(std::uint32_t size) {
  const auto credit = window.raise(size, now);
  if (credit > 0) sender.tell_connection_credit(credit);
}

std::uint32_t Session::State::open_limit() const {
  return capabilities.complete() ? capabilities.peer_streams() : limits::early_streams_max;
}

StreamStatistics Session::State::statistics_of(const Stream& stream) const {
  return {stream.id,
          stream.priority,
          stream.window.received(),
          stream.sent,
          stream.frames_in,
          stream.frames_out,
          stream.queue.size(),
          stream.window.unread(),
          stream.credit.left(),
          stream.window.granted() - stream.window.received(),
          stream.window.window(),
          stream.opened_at};
}

// --- the owner's verbs

Session::Session(Role role, SessionKeys keys, const Settings& settings, RandomSource& random, Instant now)
    : state_{std::make_unique<State>(role, std::move(keys), settings, random, now)} {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Result<std::size_t> Session::receive(ByteSpan in, Instant now) {
  state_->now = now;
  return state_->receive(in);
}

std::optional<Event> Session::poll_event() {
  auto& events = state_->events;
  if (events.empty()) return std::nullopt;
  const auto event = events.pop();
  switch (event.kind) {
    case EventKind::opened:
      return StreamOpened{event.stream};
    case EventKind::data:
      return StreamData{event.stream, {event.data, event.number}};
    case EventKind::finished:
      return StreamFinished{event.stream};
    case EventKind::datagram:
      return DatagramReceived{event.stream, {event.data, event.number}};
    case EventKind::reset:
    case EventKind::given_up:
      return StreamReset{event.stream, event.code, as_text({event.data, event.number}),
                         event.kind == EventKind::reset};
    case EventKind::writable:
      return StreamWritable{event.stream};
    case EventKind::pong:
      return PongReceived{Duration{event.number}};
    case EventKind::ready:
      return PeerReady{static_cast<std::uint32_t>(event.number)};
    case EventKind::closed:
      break;
  }
  return SessionClosed{event.code, state_->close_reason, state_->closed_by_peer};
}

std::size_t Session::poll_transmit(ByteSpan out, Instant now) {
  state_->now = now;
  return state_->transmit(out);
}

bool Session::wants_transmit() const {
  return state_->sender.wants_transmit() || (state_->pacing.waiting() != 0 && !state_->ended);
}
std::optional<Instant> Session::next_deadline() const { return state_->next_deadline(); }

void Session::on_deadline(Instant now) {
  state_->now = now;
  state_->on_deadline();
}

Result<StreamId> Session::open(Priority priority) {
  auto& state = *state_;
  if (state.ended) return fail(Errc::closed);
  if (state.open_own >= state.open_limit()) return fail(Errc::busy, state.open_own);
  VG_TRY(stream, state.streams.open_own(priority, state.now));
  ++state.open_own;
  ++state.statistics.streams_opened_local;
  state.sender.opened(*stream);
  state.raise_window(*stream, state.settings.stream_window_start);
  return stream->id;
}

std::size_t Session::send(StreamId id, ByteView data, bool fin) {
  Stream* const stream = state_->streams.find(id);
  if (stream == nullptr || stream->internal || state_->ended) return 0;
  return state_->sender.push(*stream, data, fin);
}

std::size_t Session::send_room(StreamId id) const {
  const auto* stream = state_->streams.find(id);
  return stream == nullptr || stream->internal || state_->ended ? 0 : state_->sender.room(*stream);
}

void Session::finish(StreamId id) {
  Stream* const stream = state_->streams.find(id);
  if (stream != nullptr && !stream->internal) state_->sender.finish(*stream);
}

void Session::consume(StreamId id, std::size_t bytes, Instant now) {
  auto& state = *state_;
  state.now = now;
  Stream* const stream = state.streams.find(id);
  if (stream == nullptr || stream->internal) return;
  const auto count = std::min<std::uint64_t>(bytes, stream->window.unread());
  if (!VG_EXPECT(count == bytes)) return;
  stream->waiting_since = now;
  const auto before = stream->window.window();
  const auto credit =
      stream->window.consume(count, now, state.statistics.rtt, state.settings.stream_window_max);
  if (!stream->fin_received && credit > 0) state.sender.tell_credit(*stream, credit);
  if (stream->window.window() > before) state.raise_window(*stream, before);
  state.consume_connection(count);
  if (stream->ended() && stream->window.unread() == 0 && count > 0) --state.unread_ended;
  state.settle(*stream);
}

void Session::reset(StreamId id, Code code, std::string_view reason) {
  auto& state = *state_;
  Stream* const stream = state.streams.find(id);
  if (stream == nullptr || stream->internal || state.ended) return;
  ++state.statistics.streams_reset;
  if (stream->announced && !stream->ended()) state.sender.reset(id, code, reason);
  state.drop(*stream);
}

void Session::set_deadline(StreamId id, std::optional<Instant> at) {
  Stream* const stream = state_->streams.find(id);
  if (stream == nullptr || stream->internal || state_->ended) return;
  state_->sender.set_deadline(*stream, at.value_or(Instant::max()));
}

Result<void> Session::send_datagram(StreamId id, ByteView head, ByteView data) {
  auto& state = *state_;
  if (head.size() + data.size() > datagram_bytes_max) return fail(Errc::limit_exceeded, datagram_bytes_max);
  Stream* const stream = state.streams.find(id);
  if (stream == nullptr || stream->internal || state.ended || stream->fin_queued) return fail(Errc::closed);
  if (stream->announced && state.sender.push_datagram(*stream, head, data)) return ok();
  ++state.statistics.datagrams_dropped;
  return fail(Errc::busy);
}

void Session::set_priority(StreamId id, Priority priority) {
  Stream* const stream = state_->streams.find(id);
  if (stream != nullptr && !stream->internal) state_->sender.set_priority(*stream, priority);
}

std::size_t Session::unsent(StreamId id) const {
  const auto* stream = state_->streams.find(id);
  return stream == nullptr ? 0 : stream->queue.size();
}

void Session::ping(Instant now) {
  state_->now = now;
  state_->ping();
}

void Session::update_key() { state_->sender.update_key(state_->now); }

Result<void> Session::rekey(Instant now) {
  state_->now = now;
  return state_->start_rekey();
}

void Session::close(Code code, std::string_view reason, Instant now) {
  state_->now = now;
  state_->close(code, reason);
}

bool Session::closed() const { return state_->closed(); }

std::optional<StreamStatistics> Session::stream_statistics(StreamId id) const {
  const auto* stream = state_->streams.find(id);
  if (stream == nullptr || stream->internal) return std::nullopt;
  return state_->statistics_of(*stream);
}

std::vector<StreamStatistics> Session::busiest_streams(std::size_t count) const {
  std::vector<const Stream*> all;
  all.reserve(state_->streams.size());
  state_->streams.for_each([&](const Stream& stream) {
    if (!stream.internal) all.push_back(&stream);
  });
  const auto bytes = [](const Stream* stream) { return stream->sent + stream->window.received(); };
  count = std::min(count, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    [&](const Stream* a, const Stream* b) {
                      return bytes(a) != bytes(b) ? bytes(a) > bytes(b) : a->id < b->id;
                    });
  std::vector<StreamStatistics> busiest;
  for (std::size_t i = 0; i < count; ++i) busiest.push_back(state_->statistics_of(*all[i]));
  return busiest;
}

const Statistics& Session::statistics() const {
  auto& statistics = state_->statistics;
  statistics.streams_open = state_->open_own + state_->open_peer;
  statistics.unsent_bytes = state_->sender.unsent_bytes();
  statistics.unread_bytes = state_->window.unread();
  statistics.send_credit = state_->sender.credit();
  statistics.receive_credit = state_->window.granted() - state_->window.received();
  return statistics;
}

}  // namespace village::htx
