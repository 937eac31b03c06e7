// The peer's frames, one function for each type.
#include <algorithm>

#include "htx/session_state.hpp"
#include "village/base/check.hpp"

namespace village::htx {
namespace {

Error violation(Code code) {
  switch (code) {
    case Code::flow_control_violation:
      return fail(Errc::flow_control, static_cast<std::uint16_t>(code));
    case Code::malformed_frame:
      return fail(Errc::malformed, static_cast<std::uint16_t>(code));
    case Code::auth_failed:
      return fail(Errc::auth_failed, static_cast<std::uint16_t>(code));
    case Code::version_negotiation_failed:
      return fail(Errc::version, static_cast<std::uint16_t>(code));
    default:
      return fail(Errc::protocol, static_cast<std::uint16_t>(code));
  }
}

Error malformed() { return violation(Code::malformed_frame); }

/// Reasons go into logs: only printable ASCII of what the peer says.
bool is_unprintable(std::byte c) { return c < std::byte{' '} || c > std::byte{'~'}; }

}  // namespace

Result<std::size_t> Session::State::receive(ByteSpan in) {
  const auto data_before = moved_in();
  std::size_t used = 0;
  while (!peer_closed) {
    look_ahead(in.subspan(used));
    auto frame = receiver.next(in.subspan(used));
    if (!frame) {
      const auto error = frame.error();
      if (error.code == Errc::truncated) break;
      if (error.code == Errc::malformed)
        return fail_session(Code::malformed_frame, "frame length", malformed());
      return fail_session(Code::auth_failed, "", violation(Code::auth_failed));
    }
    used += frame->header.frame_bytes();
    ++statistics.frames_in;
    statistics.bytes_in += frame->header.frame_bytes();
    heard_time = now;
    if (auto done = on_frame(*frame); !done) {
      const auto error = done.error();
      return fail_session(static_cast<Code>(error.detail), name(error.code), error);
    }
  }
  if (pacing.shaped() && moved_in() != data_before) pacing.moved(random, now);
  if (peer_closed) return in.size();
  if (used < in.size()) may_be_missed();  // a large frame on a slow link takes longer than a PING's patience
  return used;
}

void Session::State::look_ahead(ByteView in) {
  const auto size = frame_size(in);
  if (!size || in.size() < *size + frame_header_bytes) return;
  streams.look_ahead(decode_header(in.subspan(*size).first<frame_header_bytes>()).stream);
}

Result<void> Session::State::on_frame(const Incoming& frame) {
  const auto& header = frame.header;
  // Draining: only the peer's CLOSE counts, and the keys to read it.
  const bool changes_keys = header.type == FrameType::key_update || header.type == FrameType::rekey;
  if (ended && header.type != FrameType::close && !changes_keys) return ok();
  if (header.type == FrameType::rekey && !rekey.able()) return ignore();  // never announced
  const bool echo = header.type == FrameType::ping && header.aad == aad_ping_echo;
  switch (header.type) {
    case FrameType::stream:
    case FrameType::window_update:
    case FrameType::ping:
    case FrameType::key_update:
    case FrameType::close:
    case FrameType::padding:
    case FrameType::datagram:
    case FrameType::rekey:
      if (header.aad != 0 && !echo) return malformed();
      break;
    default:
      return ignore();
  }
  switch (header.type) {
    case FrameType::stream:
      return on_stream(frame);
    case FrameType::window_update:
      return on_window_update(frame);
    case FrameType::ping:
      return on_ping(frame);
    case FrameType::key_update:
      return on_key_update(frame);
    case FrameType::close:
      return on_close(frame);
    case FrameType::datagram:
      return on_datagram(frame);
    case FrameType::rekey:
      return on_rekey(frame);
    default:
      statistics.padding_bytes_in += header.frame_bytes();
      return header.stream == 0 ? idle_frame() : malformed();
  }
}

Result<void> Session::State::idle_frame() {
  ++statistics.frames_idle;
  const auto sent = sender.data_frames();
  idle_frames.earn(sent - paid_frames);
  paid_frames = sent;
  return idle_frames.spend(now) ? ok() : violation(Code::policy_rejected);
}

Result<Stream*> Session::State::stream_of(StreamId id) {
  if (Stream* const stream = streams.find(id)) {
    if (!stream->announced) return malformed();  // the peer cannot know it
    return stream;
  }
  switch (streams.standing(id)) {
    case IdStanding::fresh:
      return accept(id);
    case IdStanding::spent:
      VG_TRY_VOID(ignore());
      return nullptr;
    case IdStanding::never_opened:
      break;
  }
  return malformed();
}

/// accept opens a stream of the peer, or resets it when the peer has as many as it may. A peer that opens
/// streams faster than it reads our resets is refused as a whole.
Result<Stream*> Session::State::accept(StreamId id) {
  if (sender.resets_waiting() >= limits::refusals_max + streams.size())
    return violation(Code::policy_rejected);
  if (open_peer >= settings.peer_streams_max || unread_ended >= limits::streams_unread_max ||
      !resets_taken.has(now)) {
    streams.skip(id);
    ++statistics.streams_refused;
    sender.reset(id, Code::policy_rejected);
    ++statistics.streams_reset;
    return nullptr;
  }
  auto& stream = streams.accept(id, now);
  ++open_peer;
  ++statistics.streams_opened_peer;
  idle_frames.earn(1);  // it may be announced by an empty frame
  events.push({EventKind::opened, Code::ok, id});
  raise_window(stream, settings.stream_window_start);
  return &stream;
}

void Session::State::heard_data() {
  busy_time = now;
  shrunk = false;
  may_be_missed();
}

/// may_be_missed says a word if the peer sends for long and hears nothing. Its PING may wait a minute behind
/// what it sends over a slow link, and it would take our silence for death.
void Session::State::may_be_missed() {
  if (statistics.frames_out != frames_out_known) {
    frames_out_known = statistics.frames_out;
    silent_since = now;
  } else if (settings.ping_interval > Duration{0} && now - silent_since >= silence_max) {
    sender.say_alive();
  }
}

Result<void> Session::State::on_stream(const Incoming& frame) {
  const auto data = parse_stream_frame(frame.plaintext);
  if (!data || frame.header.stream == 0) return malformed();
  heard_data();
  VG_TRY(stream, stream_of(frame.header.stream));
  if (stream == nullptr) return late_data(data->data.size());
  ++stream->frames_in;
  return on_stream_data(*stream, *data);
}

/// late_data is data for a stream that is no more: the connection's credit for it goes back.
Result<void> Session::State::late_data(std::size_t bytes) {
  if (!window.receive(static_cast<std::uint32_t>(bytes))) return violation(Code::flow_control_violation);
  consume_connection(bytes);
  return ok();
}

Result<void> Session::State::on_stream_data(Stream& stream, const StreamFrame& frame) {
  if (stream.fin_received || frame.offset != stream.window.received()) return malformed();
  const auto bytes = static_cast<std::uint32_t>(frame.data.size());
  if (!stream.window.receive(bytes) || !window.receive(bytes)) return violation(Code::flow_control_violation);
  if (stream.internal) {
    stream.window.consume(bytes, now, Duration{0}, limits::stream_credit_start);
    consume_connection(bytes);
    VG_TRY_VOID(on_capability_data(frame.data));
  } else if (bytes > 0) {
    statistics.data_bytes_in += bytes;
    idle_frames.earn(1);
    if (stream.window.unread() == bytes) stream.waiting_since = now;
    events.push({EventKind::data, Code::ok, stream.id, frame.data.data(), bytes});
    // Slow readers together must not stop the others: when half the connection's window waits unread, it
    // grows.
    if (window.unread() > window.window() / 2) raise_connection(window.grown(settings.connection_window_max));
    if (relief_time == Instant::max() && crowded() && settings.unread_time_max > Duration{0})
      relief_time = now + settings.unread_time_max;
  } else if (!frame.fin) {
    VG_TRY_VOID(idle_frame());
  }
  if (frame.fin && stream.internal && !capabilities.complete()) return malformed();
  if (frame.fin) on_fin(stream);
  return ok();
}

void Session::State::on_fin(Stream& stream) {
  stream.fin_received = true;
  sender.stop_credit(stream);
  if (!stream.internal) events.push({EventKind::finished, Code::ok, stream.id});
  if (stream.ended()) count_ended(stream);
  settle(stream);
}

Result<void> Session::State::on_window_update(const Incoming& frame) {
  const auto update = parse_window_update(frame.plaintext);
  if (!update || update->whole_connection != (frame.header.stream == 0)) return malformed();
  if (update->whole_connection) {
    VG_TRY_VOID(idle_frame());
    return sender.add_connection_credit(update->credit) ? ok() : violation(Code::flow_control_violation);
  }
  VG_TRY(stream, stream_of(frame.header.stream));
  if (stream == nullptr) return ok();
  const bool first = stream->credit.left() + stream->sent == limits::stream_credit_start;
  if (!first) VG_TRY_VOID(idle_frame());  // the first one is the window that comes with the stream
  return sender.add_credit(*stream, update->credit) ? ok() : violation(Code::flow_control_violation);
}

Result<void> Session::State::on_ping(const Incoming& frame) {
  PingPayload payload;
  if (frame.plaintext.size() != payload.size() || frame.header.stream != 0) return malformed();
  std::copy(frame.plaintext.begin(), frame.plaintext.end(), payload.begin());
  if (frame.header.aad != aad_ping_echo) {
    if (!sender.echo(payload)) ++statistics.frames_ignored;
    return idle_frame();
  }
  if (!ping_sent || *ping_sent != payload) return ignore();
  ping_sent.reset();
  rekey_heard = rekey.running() && ping_time > rekey.started();
  const Duration rtt = now - sender.ping_time();
  statistics.rtt = statistics.rtt == Duration{0} ? rtt : (7 * statistics.rtt + rtt) / 8;
  events.push({EventKind::pong, Code::ok, 0, nullptr, static_cast<std::uint64_t>(rtt.count())});
  return ok();
}

Result<void> Session::State::on_key_update(const Incoming& frame) {
  if (!frame.plaintext.empty() || frame.header.stream != 0) return malformed();
  if (!receiver.update_key(now)) return violation(Code::policy_rejected);
  ++statistics.key_updates_in;
  return ok();
}

Result<void> Session::State::on_close(const Incoming& frame) {
  const auto close_frame = parse_close(frame.plaintext);
  if (!close_frame) return malformed();
  if (frame.header.stream != 0) {
    if (ended) return ok();
    return on_reset(frame.header.stream, close_frame->code, frame.plaintext.subspan<close_head_bytes>());
  }
  peer_closed = true;
  sender.close(Code::ok, "");
  end(close_frame->code, close_frame->reason, true);
  return ok();
}

/// on_reset ends a stream in both directions. A reset of a stream never seen uses its id up.
Result<void> Session::State::on_reset(StreamId id, Code code, ByteSpan reason) {
  Stream* const stream = streams.find(id);
  if (stream == nullptr) {
    const auto standing = streams.standing(id);
    if (standing == IdStanding::never_opened) return malformed();
    if (standing == IdStanding::fresh) streams.skip(id);
    return ignore();
  }
  if (!stream->announced || stream->internal) return malformed();
  ++statistics.streams_reset;
  if (!streams.is_own(id)) (void)resets_taken.spend(now);
  reason = reason.first(std::min(reason.size(), limits::close_reason_bytes_max));
  std::replace_if(reason.begin(), reason.end(), is_unprintable, std::byte{'?'});
  events.push({EventKind::reset, code, id, reason.data(), reason.size()});
  drop(*stream);
  return ok();
}

/// on_datagram: order is not promised, so one may come for a stream that has just ended; it opens none.
Result<void> Session::State::on_datagram(const Incoming& frame) {
  const auto id = frame.header.stream;
  Stream* const stream = id == 0 ? nullptr : streams.find(id);
  if (stream == nullptr) {
    return id == 0 || streams.standing(id) == IdStanding::never_opened ? malformed() : ignore();
  }
  if (!stream->announced || stream->internal) return malformed();
  if (stream->fin_received) return ignore();
  heard_data();
  ++statistics.datagrams_in;
  idle_frames.earn(1);
  events.push({EventKind::datagram, Code::ok, id, frame.plaintext.data(), frame.plaintext.size()});
  return ok();
}

Result<void> Session::State::on_capability_data(ByteView data) {
  if (auto taken = capabilities.receive(data); !taken) {
    switch (taken.error().code) {
      case Errc::auth_failed:
        return violation(Code::auth_failed);
      case Errc::version:
        return violation(Code::version_negotiation_failed);
      default:
        return malformed();
    }
  }
  send_capabilities();
  if (capabilities.complete() && !ready_told) {
    ready_told = true;
    events.push({EventKind::ready, Code::ok, 0, nullptr, capabilities.peer_streams()});
  }
  return ok();
}

}  // namespace village::htx
