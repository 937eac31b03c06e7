// The end of a session, and what happens by time alone: pings, their time-out, the drain, giving back idle
// memory.
//
//   open --close()--> draining --peer's CLOSE or 2 s--> closed
//   open --peer's CLOSE--> our CLOSE is sent --> closed
//   open --violation--> our CLOSE is sent --> closed
#include <algorithm>

#include "htx/session_state.hpp"

namespace village::htx {

void Session::State::end(Code code, std::string_view reason, bool by_peer) {
  if (ended) return;
  ended = true;
  closed_by_peer = by_peer;
  drain_end = now + limits::drain_time;
  close_reason.assign(reason.substr(0, limits::close_reason_bytes_max));
  // The reason goes into logs: only printable ASCII of what the peer says.
  std::replace_if(
      close_reason.begin(), close_reason.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  events.push({EventKind::closed, code});
}

void Session::State::close(Code code, std::string_view reason) {
  if (ended) return;
  sender.close(code, reason);
  end(code, reason, false);
}

Error Session::State::fail_session(Code code, std::string_view reason, Error error) {
  close(code, reason);
  peer_closed = true;  // what else it sends is not read
  return error;
}

bool Session::State::closed() const {
  if (!ended) return false;
  return (sender.close_sent() && peer_closed) || now >= drain_end;
}

void Session::State::ping() {
  if (ping_sent || ended) return;
  PingPayload payload;
  random.fill(payload);
  ping_sent = payload;
  ping_time = now;
  pacing.pinged(random, now);
  sender.ping(*ping_sent);
}

std::optional<Instant> Session::State::ping_deadline() const {
  if (ping_sent) return std::max(ping_time, heard_time) + settings.ping_timeout;
  if (settings.ping_interval > Duration{0} && pacing.paces_pings()) return pacing.ping_due();
  if (settings.ping_interval > Duration{0}) return heard_time + settings.ping_interval;
  return std::nullopt;
}

std::optional<Instant> Session::State::next_deadline() const {
  if (ended) return closed() ? std::nullopt : std::optional{drain_end};
  auto due = std::min(sender.timer_due(), relief_time);
  if (const auto ping_due = ping_deadline()) due = std::min(due, *ping_due);
  if (!shrunk) due = std::min(due, busy_time + limits::idle_time);
  due = std::min(due, rekey_due());
  if (const auto padding_due = pacing.padding_due()) due = std::min(due, *padding_due);
  return due == Instant::max() ? std::nullopt : std::optional{due};
}

void Session::State::on_deadline() {
  if (ended) return;
  if (!shrunk && now >= busy_time + limits::idle_time) shrink();
  while (const auto overdue = sender.overdue(now)) give_up(*overdue->stream, overdue->code);
  if (now >= relief_time) relieve();
  if (now >= rekey_due()) on_rekey_due();
  if (ended) return;
  pacing.on_padding_due(random, now);
  const auto ping_due = ping_deadline();
  if (!ping_due || now < *ping_due) return;
  if (ping_sent) {
    close(Code::path_invalid, "ping timeout");
    peer_closed = true;
    return;
  }
  ping();
}

void Session::State::give_up(Stream& stream, Code code) {
  const auto id = stream.id;
  ++statistics.streams_reset;
  ++statistics.streams_given_up;
  if (stream.announced && !stream.ended()) sender.reset(id, code, name(code));
  const auto reason = as_bytes(name(code));
  events.push({EventKind::given_up, code, id, reason.data(), reason.size()});
  drop(stream);
}

void Session::State::relieve() {
  // Down to where credit goes back at once: that takes half of the window.
  while (window.unread() > settings.connection_window_max / 8 * 3) {
    Stream* fullest = nullptr;
    streams.for_each([&](Stream& stream) {
      if (stream.internal || now - stream.waiting_since < settings.unread_time_max) return;
      const auto unread = stream.window.unread();
      if (unread > 0 && (fullest == nullptr || unread > fullest->window.unread())) fullest = &stream;
    });
    if (fullest == nullptr) break;
    give_up(*fullest, Code::slow_reader);
  }
  relief_time = crowded() ? now + limits::relief_interval : Instant::max();
}

/// shrink gives memory back that a busy time left behind.
void Session::State::shrink() {
  shrunk = true;
  events.shrink();
  sender.shrink();
  streams.shrink();
  BlockPool::local().trim(limits::pooled_idle_bytes_max);
}

}  // namespace village::htx
