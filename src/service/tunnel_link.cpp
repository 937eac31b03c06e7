#include "service/tunnel_link.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "service/shaped_records.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {

using tunnel_metrics::Ending;

namespace {

// Without an outer layer everybody sees the frames: there is nothing to shape.
htx::Settings shaped_outside(htx::Settings settings, Outer outer) {
  if (outer == Outer::none) settings.shape.reset();
  return settings;
}

}  // namespace

TunnelLink::TunnelLink(net::Core& core, net::StreamPtr socket, htx::SessionKeys keys,
                       const htx::Settings& settings, LinkFacts facts)
    : core_{core},
      socket_{std::move(socket)},
      session_{facts.inbound ? htx::Role::server : htx::Role::client, std::move(keys),
               shaped_outside(settings, facts.outer), core.random(), core.clock().now()},
      facts_{std::move(facts)},
      shaped_{settings.shape != nullptr && facts_.outer != Outer::none},
      timer_changed_{core},
      room_{core},
      idle_since_{core.clock().now()},
      since_{idle_since_},
      key_since_{idle_since_} {
  if (!shaped_) return;
  const auto role = facts_.inbound ? htx::Role::server : htx::Role::client;
  socket_->shape_records(std::make_unique<ShapedRecords>(settings.shape, role, core_.random()));
}

// --- the loops

boost::asio::awaitable<Error> TunnelLink::run(Bytes early, Hooks hooks) {
  const auto self = shared_from_this();
  VG_CHECK(!std::exchange(running_, true));
  hooks_ = std::move(hooks);
  auto& sessions = facts_.inbound ? tunnel_metrics::sessions_in : tunnel_metrics::sessions_out;
  sessions.add();
  net::Nursery loops{core_};
  loops.spawn([this] { return write_loop(); });
  loops.spawn([this] { return timer_loop(); });
  co_await read_loop(std::move(early));
  begin_closing(Error{Errc::cancelled}, Ending::lost);  // if nothing else was the reason
  phase_ = Phase::over;
  socket_->close();
  loops.cancel();
  kick();
  timer_changed_.notify();
  co_await loops.join();
  count();
  sessions.sub();
  tunnel_metrics::session_ended(ending_);
  hooks_ = {};
  input_.release();
  co_return *error_;
}

boost::asio::awaitable<void> TunnelLink::read_loop(Bytes early) {
  bool expect_more = false;
  if (!early.empty()) {
    VG_CHECK(early.size() <= limits::tunnel_io_buffer_bytes);
    input_ = Buffer::lease(limits::tunnel_io_buffer_bytes);
    std::memcpy(input_.data(), early.data(), early.size());
    filled_ = early.size();
    Bytes{}.swap(early);
    take_input();
  } else {
    drain_events();
    after_work();
  }
  for (;;) {
    if (!expect_more && filled_ == 0) {
      input_.release();
      const auto readable = co_await socket_->wait_readable();
      if (!readable && readable.error().code != Errc::unsupported) {
        begin_closing(readable.error(), Ending::lost);
        co_return;
      }
    }
    if (!input_) input_ = Buffer::lease(limits::tunnel_io_buffer_bytes);
    const auto room = input_.span().subspan(filled_);
    const auto read = co_await socket_->read_some(room);
    if (!read || *read == 0) {
      begin_closing(read ? Error{Errc::reset} : read.error(), Ending::lost);
      co_return;
    }
    expect_more = *read == room.size();
    filled_ += *read;
    take_input();
  }
}

void TunnelLink::take_input() {
  if (phase_ != Phase::open) {  // draining: whatever comes is of no interest
    filled_ = 0;
    return;
  }
  const auto used = session_.receive(input_.span().first(filled_), now());
  if (!used) begin_closing(used.error(), Ending::protocol);
  drain_events();
  if (!used) {
    filled_ = 0;
  } else {
    filled_ -= *used;
    if (filled_ != 0 && *used != 0) std::memmove(input_.data(), input_.data() + *used, filled_);
    VG_CHECK(filled_ < input_.size());
  }
  after_work();
}

boost::asio::awaitable<void> TunnelLink::write_loop() {
  Buffer output;
  std::size_t kept = 0;  // of the last write: too short for its TLS record, while more was to come
  for (;;) {
    std::size_t size = kept;
    if (session_.wants_transmit()) {
      if (!output) output = Buffer::lease(limits::tunnel_io_buffer_bytes);
      size += session_.poll_transmit(output.span().subspan(kept), now());
      (void)VG_EXPECT(size != 0);
      drain_events();  // room in streams that had none
      settle_farewells();
      rearm();  // data that left drew the time of an idle padding anew, perhaps an earlier one
      count();
    }
    if (size == 0) {
      if (phase_ != Phase::open) break;
      output.release();
      const auto woken = co_await work_.wait();
      if (!woken) co_return;
      continue;
    }
    kept = 0;
    std::optional<Error> failure;
    const ByteView bytes{output.data(), size};
    if (shaped_ && session_.wants_transmit()) {
      // Bulk fills whole records, as a server's does; what has nothing behind it never waits.
      const auto written = co_await socket_->write_whole(bytes);
      if (!written) failure = written.error();
      kept = written ? size - *written : 0;
      if (kept != 0) std::memmove(output.data(), bytes.last(kept).data(), kept);
    } else {
      const auto written = co_await socket_->write_all(bytes);
      if (!written) failure = written.error();
    }
    if (failure) {
      begin_closing(*failure, Ending::lost);
      socket_->close();
      co_return;
    }
  }
  (void)co_await socket_->shutdown_write();  // after CLOSE; the read loop waits for the peer's end
}

boost::asio::awaitable<void> TunnelLink::timer_loop() {
  Instant handled = Instant::min();
  while (phase_ != Phase::over) {
    auto deadline = next_deadline();
    if (deadline <= now() && deadline != handled) {
      handled = deadline;
      on_time(now());
      continue;
    }
    // A deadline that stays due although it was served must not spin.
    deadline = std::max(deadline, now() + std::chrono::milliseconds{1});
    handled = Instant::min();
    armed_ = deadline;
    const auto changed = co_await timer_changed_.wait_until(deadline);
    armed_ = Instant::min();
    if (!changed && changed.error().code == Errc::cancelled) co_return;
  }
}

Instant TunnelLink::next_deadline() const {
  auto deadline = closing_until_;
  if (phase_ == Phase::open) {
    if (const auto due = session_.next_deadline()) deadline = std::min(deadline, *due);
    if (idle_timeout_ != Duration::max() && streams_.empty())
      deadline = std::min(deadline, idle_since_ + idle_timeout_);
  }
  return deadline;
}

void TunnelLink::on_time(Instant now) {
  if (now >= closing_until_) {
    closing_until_ = Instant::max();
    socket_->close();  // ends the loops
    return;
  }
  if (phase_ != Phase::open) return;
  if (idle_timeout_ != Duration::max() && streams_.empty() && now >= idle_since_ + idle_timeout_) {
    close(htx::Code::ok, "idle", Ending::idle);
    return;
  }
  session_.on_deadline(now);
  drain_events();
  after_work();
}

// The timer sleeps until the earliest deadline known when it went to sleep; only an earlier one wakes it.
// Later ones (each byte pushes the next PING away) cost nothing: it finds nothing due and sleeps again.
void TunnelLink::rearm() {
  if (armed_ != Instant::min() && next_deadline() < armed_) timer_changed_.notify();
}

void TunnelLink::after_work() {
  if (session_.wants_transmit()) kick();
  rearm();
  count();
}

// --- the end

void TunnelLink::retire(Ending why, std::string_view reason) {
  if (phase_ != Phase::open || retiring_) return;
  retiring_ = true;
  ending_ = why;
  retire_reason_ = reason;
  room_.notify();
  if (streams_.empty()) close(htx::Code::ok, reason, why);
}

void TunnelLink::close(htx::Code code, std::string_view reason, Ending why) {
  if (phase_ != Phase::open) return;
  session_.close(code, reason, now());
  begin_closing(Error{Errc::closed}, why);
}

void TunnelLink::begin_closing(Error error, Ending why) {
  if (phase_ != Phase::open) return;
  phase_ = Phase::closing;
  error_ = error;
  ending_ = why;
  closing_until_ = now() + limits::tunnel_linger_max;
  detach_streams(error.code == Errc::closed ? error : Error{Errc::reset, error.detail});
  kick();
  timer_changed_.notify();
  room_.notify();
}

void TunnelLink::detach_streams(Error error) {
  last_found_ = nullptr;
  farewells_.clear();
  auto streams = std::exchange(streams_, {});
  for (auto& [id, stream] : streams) {
    (id % 2 == (facts_.inbound ? 0 : 1) ? tunnel_metrics::streams_out : tunnel_metrics::streams_in).sub();
    stream->link = nullptr;
    if (!stream->error && !(stream->finished_in && stream->finished_out)) stream->error = error;
    stream->readable.notify();
    stream->writable.notify();
  }
}

void TunnelLink::close_when_idle(Duration timeout) {
  idle_timeout_ = timeout;
  rearm();
}

std::string_view TunnelLink::state() const {
  if (phase_ != Phase::open) return "closing";
  return retiring_ ? "retiring" : "connected";
}

void TunnelLink::count() {
  const auto& total = session_.statistics();
  if (total.frames_in == counted_.frames_in && total.frames_out == counted_.frames_out) return;
  tunnel_metrics::frames_in.add(total.frames_in - counted_.frames_in);
  tunnel_metrics::frames_out.add(total.frames_out - counted_.frames_out);
  tunnel_metrics::wire_bytes_in.add(total.bytes_in - counted_.bytes_in);
  tunnel_metrics::wire_bytes_out.add(total.bytes_out - counted_.bytes_out);
  tunnel_metrics::data_bytes_in.add(total.data_bytes_in - counted_.data_bytes_in);
  tunnel_metrics::data_bytes_out.add(total.data_bytes_out - counted_.data_bytes_out);
  tunnel_metrics::frames_ignored.add(total.frames_ignored - counted_.frames_ignored);
  tunnel_metrics::padding_bytes_in.add(total.padding_bytes_in - counted_.padding_bytes_in);
  tunnel_metrics::padding_bytes_out.add(total.padding_bytes_out - counted_.padding_bytes_out);
  tunnel_metrics::frames_idle.add(total.frames_idle - counted_.frames_idle);
  tunnel_metrics::streams_refused.add(total.streams_refused - counted_.streams_refused);
  tunnel_metrics::datagrams_in.add(total.datagrams_in - counted_.datagrams_in);
  tunnel_metrics::datagrams_out.add(total.datagrams_out - counted_.datagrams_out);
  tunnel_metrics::drop(tunnel_metrics::DatagramDrop::queue,
                       total.datagrams_dropped - counted_.datagrams_dropped);
  tunnel_metrics::key_updates_in.add(total.key_updates_in - counted_.key_updates_in);
  tunnel_metrics::key_updates_out.add(total.key_updates_out - counted_.key_updates_out);
  tunnel_metrics::rekeys.add(total.rekeys - counted_.rekeys);
  if (total.key_updates_out != counted_.key_updates_out || total.rekeys != counted_.rekeys)
    key_since_ = now();
  counted_ = total;
}

}  // namespace village::service
