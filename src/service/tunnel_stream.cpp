#include "service/tunnel_stream.hpp"

#include <utility>

#include "service/tunnel_link.hpp"
#include "village/base/check.hpp"

namespace village::service {
namespace {

// A reader's buffer is offered to the link only while the reader waits, however the wait ends.
class DirectOffer {
 public:
  DirectOffer(LinkStream& stream, ByteSpan out) : stream_{stream} {
    VG_CHECK(stream.direct.empty());
    stream.direct = out;
    stream.direct_bytes = 0;
  }
  DirectOffer(const DirectOffer&) = delete;
  DirectOffer& operator=(const DirectOffer&) = delete;
  ~DirectOffer() { stream_.direct = {}; }

 private:
  LinkStream& stream_;
};

Error ended(const LinkStream& stream) { return stream.error.value_or(Error{Errc::closed}); }

}  // namespace

net::Task<std::size_t> TunnelStream::read(std::shared_ptr<LinkStream> state, ByteSpan out) {
  if (out.empty()) co_return fail(Errc::bad_argument);
  if (state->status_pending) {
    auto answered = co_await status(state);
    if (!answered) co_return answered.error();
  }
  for (;;) {
    if (state->abandoned) co_return fail(Errc::cancelled);
    if (!state->queue.empty()) {
      const auto taken = state->queue.take(out);
      if (state->link != nullptr) state->link->consumed(*state, taken);
      co_return taken;
    }
    if (state->finished_in) co_return std::size_t{0};
    if (state->error) co_return *state->error;
    const DirectOffer offer{*state, out};
    const auto woken = co_await state->readable.wait();
    if (const auto taken = std::exchange(state->direct_bytes, 0); taken != 0) {
      if (state->link != nullptr) state->link->consumed(*state, taken);
      co_return taken;
    }
    if (!woken) co_return woken.error();
  }
}

// Waits until a byte, the FIN or an error is there.
net::Task<void> TunnelStream::wait_data(std::shared_ptr<LinkStream> state) {
  while (state->queue.empty() && !state->finished_in && !state->error && !state->abandoned) {
    const auto woken = co_await state->readable.wait();
    if (!woken) co_return woken.error();
  }
  if (state->abandoned) co_return fail(Errc::cancelled);
  co_return ok();
}

net::Task<void> TunnelStream::wait(std::shared_ptr<LinkStream> state) {
  if (state->status_pending) {
    auto answered = co_await status(state);
    if (!answered) co_return ok();  // the read that follows meets the same error
  }
  auto there = co_await wait_data(state);
  co_return there;
}

net::Task<void> TunnelStream::status(std::shared_ptr<LinkStream> state) {
  auto there = co_await wait_data(state);
  if (!there) co_return there.error();
  if (state->queue.empty()) {
    co_return state->error.value_or(Error{Errc::end_of_stream});
  }
  const auto answer = static_cast<htx::Status>(state->queue.front()[0]);
  state->queue.skip(1);
  state->status_pending = false;
  if (state->link != nullptr) state->link->consumed(*state, 1);
  if (answer != htx::Status::connected) {
    state->error = Error{htx::errc_of(answer), static_cast<std::uint32_t>(answer)};
    co_return *state->error;
  }
  co_return ok();
}

net::Task<void> TunnelStream::write(std::shared_ptr<LinkStream> state, ByteView in) {
  while (!in.empty()) {
    if (state->abandoned) co_return fail(Errc::cancelled);
    if (state->link == nullptr || state->error) co_return ended(*state);
    if (state->finished_out) co_return fail(Errc::closed);
    in = in.subspan(state->link->send(*state, in));
    if (in.empty()) break;
    const auto woken = co_await state->writable.wait();
    if (!woken) co_return woken.error();
  }
  co_return ok();
}

net::Task<void> TunnelStream::finish(std::shared_ptr<LinkStream> state) {
  if (state->abandoned) co_return fail(Errc::cancelled);
  if (state->link == nullptr || state->error) co_return ended(*state);
  if (!state->finished_out) state->link->finish(*state);
  co_return ok();
}

void TunnelStream::set_sink(StreamSink* sink) {
  state_->sink = sink;
  if (sink == nullptr || state_->abandoned) return;
  while (!state_->queue.empty()) {
    const auto there = state_->queue.front();
    sink->take(there);
    skip(there.size());
  }
  sink->flush();
}

std::size_t TunnelStream::offer(ByteView in) {
  if (state_->link == nullptr || state_->error || state_->abandoned || state_->finished_out) return 0;
  return state_->link->send(*state_, in);
}

net::Task<void> TunnelStream::room(std::shared_ptr<LinkStream> state) {
  if (state->abandoned) co_return fail(Errc::cancelled);
  if (state->link == nullptr || state->error) co_return ended(*state);
  const auto woken = co_await state->writable.wait();
  if (!woken) co_return woken.error();
  if (state->abandoned) co_return fail(Errc::cancelled);
  if (state->link == nullptr || state->error) co_return ended(*state);
  co_return ok();
}

net::Task<void> TunnelStream::over(std::shared_ptr<LinkStream> state) {
  while (!state->finished_in && !state->error && !state->abandoned && state->link != nullptr) {
    const auto woken = co_await state->readable.wait();
    if (!woken) co_return woken.error();
  }
  co_return ok();
}

void TunnelStream::close() noexcept {
  if (state_->abandoned) return;
  state_->abandoned = true;
  state_->datagrams = nullptr;
  state_->sink = nullptr;
  if (state_->link != nullptr) state_->link->abandon(*state_, htx::Code::ok);
  state_->queue.clear();
  state_->readable.notify();
  state_->writable.notify();
}

void TunnelStream::reset(htx::Code code, std::string_view reason) {
  if (state_->abandoned) return;
  state_->abandoned = true;
  state_->datagrams = nullptr;
  state_->sink = nullptr;
  if (state_->link != nullptr) state_->link->reset(*state_, code, reason);
  state_->queue.clear();
  state_->readable.notify();
  state_->writable.notify();
}

void TunnelStream::set_priority(htx::Priority priority) {
  if (state_->link != nullptr) state_->link->set_priority(*state_, priority);
}

void TunnelStream::set_deadline(std::optional<Instant> at) {
  if (state_->link != nullptr) state_->link->set_deadline(*state_, at);
}

std::optional<htx::StreamStatistics> TunnelStream::statistics() const {
  if (state_->link == nullptr) return std::nullopt;
  return state_->link->stream_statistics(*state_);
}

Result<void> TunnelStream::send_datagram(ByteView head, ByteView data) {
  if (state_->link == nullptr || state_->error || state_->abandoned) return fail(Errc::closed);
  return state_->link->send_datagram(*state_, head, data);
}

void TunnelStream::skip(std::size_t bytes) {
  state_->queue.skip(bytes);
  if (state_->link != nullptr) state_->link->consumed(*state_, bytes);
}

Result<void> TunnelStream::say(ByteView bytes) {
  if (state_->link == nullptr || state_->error) return ended(*state_);
  if (state_->link->send(*state_, bytes) != bytes.size()) return fail(Errc::reset);
  return ok();
}

Result<void> TunnelStream::say_status(htx::Status status) {
  const auto byte = static_cast<std::byte>(status);
  return say(ByteView{&byte, 1});
}

void TunnelStream::refuse(htx::Status status, htx::Code code) {
  if (state_->abandoned) return;
  (void)say_status(status);
  if (state_->link != nullptr && !state_->error) {
    state_->link->finish(*state_);
    state_->link->linger(*state_, code);
  }
  state_->abandoned = true;
  state_->queue.clear();
}

}  // namespace village::service
