#include "service/decoy_splice.hpp"

#include <array>
#include <utility>

#include "service/buffer_pool.hpp"
#include "village/net/deadline.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {
namespace {

/// only_cancelled passes on that we were told to stop; a stranger that does not hear the end is none.
Result<void> only_cancelled(const Result<void>& ended) {
  if (!ended && ended.error().code == Errc::cancelled) return ended.error();
  return ok();
}

}  // namespace

DecoySplice::DecoySplice(net::Core& core, DecoyVigil& vigil, DecoyOrigin& origin, net::Stream& client,
                         Options options, Judge judge)
    : core_{core},
      vigil_{vigil},
      source_{origin},
      client_{client},
      tls_{dynamic_cast<net::TlsStream*>(&client)},
      options_{std::move(options)},
      judge_{std::move(judge)},
      children_{core},
      changed_{core},
      deadline_{core.clock().now() + options_.connection_timeout} {}

boost::asio::awaitable<SpliceEnd> DecoySplice::run() {
  children_.spawn([this] { return connect(); });
  children_.spawn([this] { return up(); });
  children_.spawn([this] { return down(); });
  children_.spawn([this] { return watch(); });
  co_await children_.join();
  const auto end = end_.value_or(SpliceEnd::cancelled);
  if (end != SpliceEnd::admitted) client_.close();
  if (origin_) origin_->close();
  co_return end;
}

void DecoySplice::over(SpliceEnd end) {
  if (!end_) end_ = end;
  children_.cancel();
}

// --- the origin

boost::asio::awaitable<void> DecoySplice::connect() {
  auto dialed = co_await source_.take();
  if (dialed) {
    origin_ = std::move(*dialed);
    changed_.notify();
    co_return;
  }
  if (dialed.error().code == Errc::cancelled) co_return;
  // What is left of a web server whose worker died: the kernel closes its sockets, without a notice.
  over(SpliceEnd::origin_down);
}

net::Task<void> DecoySplice::await_origin() {
  while (!origin_) {
    const auto done = co_await changed_.wait();
    if (!done) co_return done.error();
  }
  co_return ok();
}

// --- stranger to origin

boost::asio::awaitable<void> DecoySplice::up() {
  const auto moved = co_await move_up();
  if (!moved && moved.error().code == Errc::cancelled) over(SpliceEnd::cancelled);
}

net::Task<void> DecoySplice::move_up() {
  for (;;) {
    const auto ready = co_await client_.wait_readable();
    if (!ready) {
      client_failed(ready.error());
      co_return ok();
    }
    auto buffer = Buffer::lease(limits::decoy_buffer_bytes);
    const auto got = co_await client_.read_some(buffer.span());
    const bool cut = !got && got.error().code == Errc::truncated;  // FIN without close_notify
    if (!got && !cut) {
      client_failed(got.error());
      co_return ok();
    }
    if (cut || *got == 0) co_return co_await client_done(!cut);
    auto piece = ByteView{buffer.span()}.first(*got);
    note_head(piece);  // before he is judged: how long that takes is nobody's business
    if (judge_) {
      const auto judgement = judge_(piece);
      if (judgement == Judgement::admit) {
        over(SpliceEnd::admitted);
        co_return ok();
      }
      held_.insert(held_.end(), piece.begin(), piece.end());
      if (judgement == Judgement::undecided) continue;
      judge_ = nullptr;
      const auto all = std::exchange(held_, {});
      const auto sent = co_await forward(all);
      if (!sent) co_return sent.error();
    } else {
      const auto sent = co_await forward(piece);
      if (!sent) co_return sent.error();
    }
    if (origin_finished_) {
      const auto done = co_await notice_gone_origin();
      if (!done) co_return done.error();
    }
  }
}

net::Task<void> DecoySplice::forward(ByteView bytes) {
  const auto there = co_await await_origin();
  if (!there) co_return there.error();
  const auto written = co_await origin_->write_all(bytes);
  if (!written) origin_failed(written.error());
  // A piece of a body, or of a head, waits for no answer.
  if (source_.is_near() && (options_.http2 || !head_open_)) co_await vigil_.keep(unanswered_);
  co_return written;
}

/// The stranger's side is over: so is ours towards the origin.
net::Task<void> DecoySplice::client_done(bool with_notice) {
  client_finished_ = true;
  judge_ = nullptr;
  const auto all = std::exchange(held_, {});
  if (!all.empty()) {
    const auto done = co_await forward(all);
    if (!done) co_return done.error();
  }
  const auto there = co_await await_origin();
  if (!there) co_return there.error();
  if (origin_finished_) {
    if (with_notice) {
      const auto done = co_await notice_gone_origin();
      if (!done) co_return done.error();
    }
    over(SpliceEnd::finished);
    co_return ok();
  }
  (void)co_await origin_->shutdown_write();
  co_return ok();
}

/// Once the origin has said its FIN, only sending tells whether it still listens or has closed: where a
/// closed socket answers bytes with a reset, so must we, and the stranger's close_notify is bytes. The origin
/// never sees an answerable request in it, for it has ended its side.
net::Task<void> DecoySplice::notice_gone_origin() {
  constexpr std::array<Duration, 3> pauses{std::chrono::milliseconds{1}, std::chrono::milliseconds{20},
                                           std::chrono::milliseconds{200}};
  const auto probe = as_bytes(std::string_view{"\r\n"});
  for (const auto pause : pauses) {
    const auto written = origin_->try_write(probe);
    if (!written && written.error().code != Errc::busy) {
      reset_client();
      over(SpliceEnd::finished);
      co_return ok();
    }
    if (client_finished_) {
      const auto done = co_await net::sleep_until(core_, now() + pause);
      if (!done) co_return done.error();
    }
  }
  co_return ok();
}

void DecoySplice::client_failed(Error error) {
  if (error.code == Errc::cancelled) return over(SpliceEnd::cancelled);
  if (error.code == Errc::reset && origin_) origin_->reset();
  over(SpliceEnd::finished);  // an alert, if one was due, has left with the read that failed
}

// --- origin to stranger

boost::asio::awaitable<void> DecoySplice::down() {
  const auto moved = co_await move_down();
  if (!moved && moved.error().code == Errc::cancelled) over(SpliceEnd::cancelled);
}

net::Task<void> DecoySplice::move_down() {
  const auto there = co_await await_origin();
  if (!there) co_return there.error();
  for (;;) {
    const auto ready = co_await origin_->wait_readable();
    if (!ready) {
      origin_failed(ready.error());
      co_return ok();
    }
    auto buffer = Buffer::lease(limits::decoy_buffer_bytes);
    const auto got = origin_->try_read(buffer.span());
    if (!got && got.error().code == Errc::busy) continue;
    if (!got) {
      origin_failed(got.error());
      co_return ok();
    }
    if (*got == 0) break;
    head_open_ = false;
    if (std::exchange(unanswered_, false) && source_.is_near()) co_await vigil_.hold(last_up_);
    const auto written = co_await client_.write_all(ByteView{buffer.span()}.first(*got));
    if (!written) {
      client_failed(written.error());
      co_return ok();
    }
  }
  const auto ended = co_await end_client();
  if (!ended) co_return ended.error();
  origin_finished_ = true;
  if (client_finished_) {
    over(SpliceEnd::finished);
  } else {
    deadline_ = std::min(deadline_, now() + limits::decoy_half_closed_max);
    changed_.notify();
  }
  co_return ok();
}

net::Task<void> DecoySplice::end_client() {
  if (tls_ != nullptr && ends_silently()) {
    const auto ended = co_await tls_->finish_silently();
    co_return only_cancelled(ended);
  }
  const auto ended = co_await client_.shutdown_write();
  co_return only_cancelled(ended);
}

/// nginx sends no close_notify to those who have ended their side, nor when they were too slow; we see only
/// its FIN. It was patience if bytes were left unanswered: an unfinished head, or anything that waited for
/// long.
bool DecoySplice::ends_silently() const {
  if (client_finished_) return true;  // who has said goodbye gets none
  if (options_.http2) return false;
  if (!held_.empty()) return true;
  return unanswered_ && (head_open_ || now() - last_up_ >= std::chrono::seconds{1});
}

/// note_head keeps track of whether what was sent ends with a blank line.
void DecoySplice::note_head(ByteView bytes) {
  unanswered_ = true;
  last_up_ = now();
  for (const auto byte : bytes) {
    if (byte == std::byte{'\n'}) {
      ++blank_lines_;
    } else if (byte != std::byte{'\r'}) {
      blank_lines_ = 0;
    }
  }
  head_open_ = blank_lines_ < 2;
}

void DecoySplice::origin_failed(Error error) {
  if (error.code == Errc::cancelled) return over(SpliceEnd::cancelled);
  reset_client();
  over(SpliceEnd::finished);
}

void DecoySplice::reset_client() {
  if (tls_ != nullptr) {
    tls_->reset();
  } else if (auto* socket = dynamic_cast<net::SocketStream*>(&client_)) {
    socket->reset();
  }
}

// --- time

boost::asio::awaitable<void> DecoySplice::watch() {
  for (;;) {
    const auto woken = co_await changed_.wait_until(deadline_);
    if (woken) continue;
    if (woken.error().code == Errc::timed_out) over(SpliceEnd::timed_out);
    co_return;
  }
}

}  // namespace village::service
