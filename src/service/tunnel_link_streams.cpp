// The part of TunnelLink that knows streams: events of the session in, verbs of TunnelStream out.
#include <algorithm>
#include <cstring>
#include <utility>

#include "service/tunnel_link.hpp"
#include "village/base/log.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {

using tunnel_metrics::Ending;

// --- events

void TunnelLink::drain_events() {
  while (auto event = session_.poll_event()) {
    std::visit([this](const auto& what) { on(what); }, *event);
  }
  flush_datagrams();  // before the views die
  flush_sink();
}

void TunnelLink::flush_sink() {
  const auto stream = std::exchange(sink_of_, nullptr);
  if (stream && stream->sink != nullptr) stream->sink->flush();
}

void TunnelLink::to_sink(LinkStream& stream, ByteView data) {
  if (sink_of_.get() != &stream) {
    flush_sink();
    sink_of_ = streams_.find(stream.id)->second;
  }
  stream.sink->take(data);
  session_.consume(stream.id, data.size(), now());
}

void TunnelLink::flush_datagrams() {
  const auto stream = std::exchange(datagrams_of_, nullptr);
  if (stream && stream->datagrams != nullptr) stream->datagrams->flush();
}

void TunnelLink::on(const htx::StreamOpened& event) {
  auto stream = std::make_shared<LinkStream>(this, event.stream);
  add(stream);
  tunnel_metrics::streams_in_total.add();
  auto handle = std::make_unique<TunnelStream>(std::move(stream));
  if (!hooks_.on_stream || retiring_ || phase_ != Phase::open) {
    handle->refuse(htx::Status::general_failure, htx::Code::policy_rejected);
    return;
  }
  hooks_.on_stream(std::move(handle));
}

void TunnelLink::on(const htx::StreamData& event) {
  auto* stream = find(event.stream);
  if (stream == nullptr) return;
  if (stream->abandoned) {  // lingering: nobody reads, but the credit goes back
    session_.consume(event.stream, event.data.size(), now());
    return;
  }
  auto data = event.data;
  if (stream->sink != nullptr) return to_sink(*stream, data);
  if (stream->queue.empty() && stream->direct_bytes < stream->direct.size()) {
    const auto count = std::min(data.size(), stream->direct.size() - stream->direct_bytes);
    std::memcpy(stream->direct.data() + stream->direct_bytes, data.data(), count);
    stream->direct_bytes += count;
    data = data.subspan(count);
  }
  if (!data.empty()) stream->queue.append(data);
  stream->readable.notify();
}

void TunnelLink::on(const htx::StreamFinished& event) {
  auto* stream = find(event.stream);
  if (stream == nullptr) return;
  stream->finished_in = true;
  stream->readable.notify();
}

void TunnelLink::on(const htx::StreamReset& event) {
  auto* stream = find(event.stream);
  if (stream == nullptr) return;
  if (event.by_peer) {
    tunnel_metrics::streams_reset_in.add();
  } else {
    tunnel_metrics::streams_reset_out.add();
  }
  tunnel_metrics::stream_reset(event.code);
  VG_LOG(debug, "htx", "stream reset peer={} id={} code={} reason={} by_peer={}", facts_.peer, event.stream,
         htx::name(event.code), event.reason, event.by_peer);
  stream->error = Error{Errc::reset, static_cast<std::uint32_t>(event.code)};
  stream->readable.notify();
  stream->writable.notify();
  if (!event.by_peer) {  // its unread data is what had to go
    stream->queue.clear();
    stream->direct_bytes = 0;
  }
  if (stream->abandoned) forget(*stream);
}

void TunnelLink::on(const htx::DatagramReceived& event) {
  auto* stream = find(event.stream);
  if (stream == nullptr || stream->datagrams == nullptr)
    return tunnel_metrics::drop(tunnel_metrics::DatagramDrop::no_association);
  if (datagrams_of_.get() != stream) {
    flush_datagrams();
    datagrams_of_ = streams_.find(event.stream)->second;
  }
  stream->datagrams->take(event.data);
}

void TunnelLink::on(const htx::StreamWritable& event) {
  if (auto* stream = find(event.stream)) stream->writable.notify();
}

void TunnelLink::on(const htx::PongReceived& event) {
  if (event.rtt.count() > 0)
    tunnel_metrics::rtt_seconds.record_ns(static_cast<std::uint64_t>(event.rtt.count()));
}

void TunnelLink::on(const htx::PeerReady&) {
  ready_ = true;
  if (hooks_.on_ready) hooks_.on_ready();
  room_.notify();
}

void TunnelLink::on(const htx::SessionClosed& event) {
  VG_LOG(debug, "htx", "session closed peer={} code={} reason={} by_peer={}", facts_.peer,
         htx::name(event.code), event.reason, event.by_peer);
  begin_closing(Error{Errc::reset, static_cast<std::uint32_t>(event.code)},
                event.by_peer ? Ending::peer_closed : Ending::lost);
  if (event.by_peer) socket_->close();
}

// --- streams

LinkStream* TunnelLink::find(htx::StreamId id) {
  if (last_found_ != nullptr && last_found_->id == id) return last_found_;
  const auto place = streams_.find(id);
  if (place == streams_.end()) return nullptr;
  last_found_ = place->second.get();
  return last_found_;
}

void TunnelLink::add(const StreamRef& stream) {
  streams_.emplace(stream->id, stream);
  (stream->id % 2 == (facts_.inbound ? 0 : 1) ? tunnel_metrics::streams_out : tunnel_metrics::streams_in)
      .add();
}

void TunnelLink::forget(LinkStream& stream) {
  stream.link = nullptr;
  if (last_found_ == &stream) last_found_ = nullptr;
  const auto id = stream.id;
  if (streams_.erase(id) == 0) return;  // `stream` may be gone now
  (id % 2 == (facts_.inbound ? 0 : 1) ? tunnel_metrics::streams_out : tunnel_metrics::streams_in).sub();
  room_.notify();
  if (!streams_.empty()) return;
  idle_since_ = now();
  if (retiring_) {
    close(htx::Code::ok, retire_reason_, ending_);
  } else {
    rearm();
  }
}

net::Task<std::unique_ptr<TunnelStream>> TunnelLink::open(htx::Priority priority, Instant deadline) {
  const auto self = shared_from_this();
  for (;;) {
    if (!usable()) co_return error_.value_or(Error{Errc::reset});
    const auto id = session_.open(priority);
    if (id) {
      auto stream = std::make_shared<LinkStream>(this, *id);
      add(stream);
      tunnel_metrics::streams_out_total.add();
      co_return std::make_unique<TunnelStream>(std::move(stream));
    }
    if (id.error().code != Errc::busy) co_return id.error();
    const auto woken = co_await room_.wait_until(deadline);
    if (!woken) {
      if (woken.error().code == Errc::timed_out) co_return fail(Errc::busy);
      co_return woken.error();
    }
  }
}

std::size_t TunnelLink::send(LinkStream& stream, ByteView bytes) {
  const auto taken = session_.send(stream.id, bytes, false);
  if (taken != 0) kick();
  return taken;
}

void TunnelLink::finish(LinkStream& stream) {
  stream.finished_out = true;
  session_.finish(stream.id);
  kick();
}

void TunnelLink::consumed(LinkStream& stream, std::size_t bytes) {
  session_.consume(stream.id, bytes, now());
  if (session_.wants_transmit()) kick();
}

void TunnelLink::abandon(LinkStream& stream, htx::Code code) {
  if (stream.error) return forget(stream);
  if (stream.finished_out && session_.unsent(stream.id) != 0) return linger(stream, code);
  if (!stream.finished_out || !stream.finished_in) return reset(stream, code);
  give_back(stream);
  forget(stream);
}

// Credit for what nobody will read. (A reset gives its own back.)
void TunnelLink::give_back(LinkStream& stream) {
  const auto unread = stream.queue.size() + std::exchange(stream.direct_bytes, 0);
  stream.direct = {};
  stream.queue.clear();
  if (unread != 0) consumed(stream, unread);
}

void TunnelLink::set_priority(LinkStream& stream, htx::Priority priority) {
  session_.set_priority(stream.id, priority);
}

void TunnelLink::set_deadline(LinkStream& stream, std::optional<Instant> at) {
  session_.set_deadline(stream.id, at);
  rearm();
}

std::optional<htx::StreamStatistics> TunnelLink::stream_statistics(const LinkStream& stream) const {
  return session_.stream_statistics(stream.id);
}

std::vector<htx::StreamStatistics> TunnelLink::busiest_streams() const {
  return session_.busiest_streams(limits::tunnel_status_streams_max);
}

Result<void> TunnelLink::send_datagram(LinkStream& stream, ByteView head, ByteView data) {
  auto queued = session_.send_datagram(stream.id, head, data);
  if (queued) kick();
  return queued;
}

void TunnelLink::reset(LinkStream& stream, htx::Code code, std::string_view reason) {
  if (!stream.error) {
    session_.reset(stream.id, code, reason);
    tunnel_metrics::streams_reset_out.add();
    kick();
  }
  forget(stream);
}

void TunnelLink::linger(LinkStream& stream, htx::Code code) {
  give_back(stream);
  stream.farewell = code;
  farewells_.push_back(stream.id);
  kick();
}

// Called after each transmission: streams whose last byte has left may go.
void TunnelLink::settle_farewells() {
  if (farewells_.empty()) return;
  for (const auto id : std::exchange(farewells_, {})) {
    auto* stream = find(id);
    if (stream == nullptr) continue;
    if (session_.unsent(id) != 0) {
      farewells_.push_back(id);
    } else if (stream->finished_in) {
      forget(*stream);
    } else {
      reset(*stream, *stream->farewell);
    }
  }
}

}  // namespace village::service
