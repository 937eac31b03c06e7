// The coroutines around TlsEngine. Reads and writes overlap: both use the engine only between waits, on one
// thread. What the engine wants sent goes out by whoever is flushing; a reader never waits for that, lest two
// peers that both write wait for each other.
#include <boost/asio/post.hpp>

#include "net/await.hpp"
#include "net/metrics.hpp"
#include "net/tls_engine.hpp"
#include "village/base/check.hpp"
#include "village/net/deadline.hpp"
#include "village/net/event.hpp"
#include "village/net/tls.hpp"

namespace village::net {
namespace {
constexpr std::size_t reads_per_turn = 16;  ///< without a wait, before others get the core
}

struct TlsStream::State {
  State(Core& owner, StreamPtr stream, SSL_CTX* context)
      : core{owner},
        under{std::move(stream)},
        socket{dynamic_cast<SocketStream*>(under.get())},
        engine{context, socket},
        flushed{owner} {}

  Core& core;
  StreamPtr under;
  SocketStream* socket;  ///< `under`, if it is one: read without copying
  TlsEngine engine;
  Event flushed;
  bool flushing = false;
  bool closed = false;
  std::optional<Error> write_failure;
  AcceptHooks hooks;
  std::shared_ptr<TlsServerContext> server;  ///< the ALPN callback looks into it
  std::size_t reads_in_turn = 0;

  /// flush sends all that is outgoing, what others add meanwhile included.
  Task<void> flush() {
    while (flushing) {
      const auto waited = co_await flushed.wait();
      if (waited.has_error()) co_return waited.error();
    }
    if (closed) co_return fail(Errc::closed);
    flushing = true;
    while (!engine.outgoing().empty() && !write_failure) {
      std::size_t size = 0;
      const auto block = engine.take_outgoing(size);
      const auto written = co_await under->write_all(block.span().first(size));
      if (written.has_error())
        write_failure = written.error();  // ciphertext is lost: the stream cannot go on
    }
    flushing = false;
    flushed.notify();
    if (write_failure) co_return *write_failure;
    co_return ok();
  }

  /// send_aside sends what it can of answers that reading produced (key updates), without waiting.
  void send_aside() {
    if (engine.outgoing().empty() || flushing || socket == nullptr) return;
    const auto written = socket->try_write(engine.outgoing());
    if (written.has_value()) engine.sent(*written);
  }

  /// wait_ciphertext waits for more input.
  Task<void> wait_ciphertext() {
    reads_in_turn = 0;
    auto ready = co_await under->wait_readable();
    if (ready.has_error() && ready.error().code != Errc::unsupported) co_return ready.error();
    if (closed) co_return fail(Errc::closed);
    if (socket != nullptr) co_return ok();
    const auto got = co_await under->read_some(engine.incoming());
    if (got.has_error()) co_return got.error();
    engine.received(*got);
    co_return ok();
  }

  static Task<void> handshake(std::shared_ptr<State> state) {
    for (;;) {
      if (state->hooks.turn) {
        const auto passed = co_await state->hooks.turn();
        if (passed.has_error()) co_return passed.error();
      }
      const auto want = state->engine.handshake();
      if (want.has_error()) {
        state->send_aside();  // our alert
        co_return want.error();
      }
      const bool spoke = !state->engine.outgoing().empty();
      const auto flushed = co_await state->flush();
      if (flushed.has_error()) co_return flushed.error();
      if (*want == TlsEngine::Want::nothing) co_return ok();
      if (spoke && state->hooks.waiting) state->hooks.waiting(state->engine.alpn());
      const auto more = co_await state->wait_ciphertext();
      if (more.has_error()) co_return more.error();
    }
  }

  static Task<std::unique_ptr<TlsStream>> open(std::shared_ptr<State> state, Instant deadline) {
    const auto done = co_await with_deadline(state->core, handshake(state), deadline);
    if (done.has_error()) {
      metric::tls_handshakes_failed.add();
      state->closed = true;
      state->under->close();
      co_return done.error();
    }
    metric::tls_handshakes.add();
    state->hooks = {};
    co_return std::unique_ptr<TlsStream>{new TlsStream{std::move(state)}};
  }

  static Task<std::size_t> read(std::shared_ptr<State> state, ByteSpan out) {
    VG_CO_STOP_IF_CANCELLED();
    VG_CHECK(!out.empty());
    if (++state->reads_in_turn > reads_per_turn) {
      state->reads_in_turn = 0;
      co_await asio::post(state->core.io(), asio::use_awaitable);
    }
    for (;;) {
      if (state->closed) co_return fail(Errc::closed);
      const auto got = state->engine.read(out);
      state->send_aside();
      if (got.has_error()) co_return got.error();
      if (got->want == TlsEngine::Want::nothing) co_return got->size;
      const auto more = co_await state->wait_ciphertext();
      if (more.has_error()) co_return more.error();
    }
  }

  /// write writes all of `in`, or with `whole` what fills whole records, and returns how much.
  static Task<std::size_t> write(std::shared_ptr<State> state, ByteView in, bool whole) {
    VG_CO_STOP_IF_CANCELLED();
    std::size_t used = 0;
    while (used < in.size()) {
      if (state->closed) co_return fail(Errc::closed);
      if (state->write_failure) co_return *state->write_failure;
      if (!state->engine.outgoing().empty()) {
        const auto room = co_await state->flush();
        if (room.has_error()) co_return room.error();
      }
      const auto now = state->core.clock().now();
      const auto rest = in.subspan(used);
      const auto written = whole ? state->engine.write_whole(rest, now) : state->engine.write(rest, now);
      if (written.has_error()) co_return written.error();
      if (*written == 0) break;
      used += *written;
      const auto flushed = co_await state->flush();
      if (flushed.has_error()) co_return flushed.error();
    }
    co_return used;
  }

  static Task<void> write_all(std::shared_ptr<State> state, ByteView in) {
    const auto written = co_await write(std::move(state), in, false);
    if (written.has_error()) co_return written.error();
    co_return ok();
  }

  static Task<void> shutdown(std::shared_ptr<State> state) {
    if (state->closed) co_return fail(Errc::closed);
    state->engine.finish();
    const auto flushed = co_await state->flush();
    if (flushed.has_error()) co_return flushed.error();
    co_return co_await state->under->shutdown_write();
  }

  static Task<void> finish_silently(std::shared_ptr<State> state) {
    if (state->closed) co_return fail(Errc::closed);
    co_return co_await state->under->shutdown_write();
  }

  static Task<void> wait(std::shared_ptr<State> state) {
    if (state->closed) co_return fail(Errc::closed);
    if (state->engine.has_pending()) co_return ok();
    state->reads_in_turn = 0;
    co_return co_await state->under->wait_readable();
  }
};

TlsStream::TlsStream(std::shared_ptr<State> state) : state_{std::move(state)} {}
TlsStream::~TlsStream() { TlsStream::close(); }

namespace {
Task<std::unique_ptr<TlsStream>> failed(Error error) { co_return error; }
}  // namespace

Task<std::unique_ptr<TlsStream>> TlsStream::connect(Core& core, StreamPtr under,
                                                    std::shared_ptr<TlsClientContext> context,
                                                    TlsServerName server, Instant deadline) {
  auto state = std::make_shared<State>(core, std::move(under), context->state().context.get());
  const auto set = state->engine.be_client(server, core.clock().wall());
  if (set.has_error()) return failed(set.error());
  return State::open(std::move(state), deadline);
}

Task<std::unique_ptr<TlsStream>> TlsStream::accept(Core& core, StreamPtr under,
                                                   std::shared_ptr<TlsServerContext> context,
                                                   Instant deadline, AcceptHooks hooks) {
  auto state = std::make_shared<State>(core, std::move(under), context->state().get().get());
  state->engine.be_server();
  state->server = std::move(context);
  state->hooks = std::move(hooks);
  return State::open(std::move(state), deadline);
}

Task<std::size_t> TlsStream::read_some(ByteSpan out) { return State::read(state_, out); }
Task<void> TlsStream::write_all(ByteView in) { return State::write_all(state_, in); }
Task<std::size_t> TlsStream::write_whole(ByteView in) { return State::write(state_, in, true); }
void TlsStream::shape_records(std::unique_ptr<RecordPlan> plan) { state_->engine.set_plan(std::move(plan)); }
Task<void> TlsStream::shutdown_write() { return State::shutdown(state_); }
Task<void> TlsStream::wait_readable() { return State::wait(state_); }

Task<void> TlsStream::finish_silently() { return State::finish_silently(state_); }
void TlsStream::use_whole_records(bool whole) { state_->engine.use_whole_records(whole); }

void TlsStream::reset() noexcept {
  if (!state_->closed && state_->socket != nullptr) state_->socket->reset();
  close();
}

void TlsStream::close() noexcept {
  if (state_->closed) return;
  state_->closed = true;
  state_->under->close();
}

std::optional<Target> TlsStream::local() const { return state_->under->local(); }

Result<void> TlsStream::exporter(std::string_view label, ByteView context, ByteSpan out) const {
  if (SSL_export_keying_material(state_->engine.ssl(), octets(out), out.size(), label.data(), label.size(),
                                 octets(context), context.size(), 1) != 1) {
    return fail(Errc::internal);
  }
  return ok();
}

std::string_view TlsStream::alpn() const { return state_->engine.alpn(); }

TlsVersion TlsStream::version() const { return static_cast<TlsVersion>(SSL_version(state_->engine.ssl())); }
std::string_view TlsStream::cipher() const { return SSL_get_cipher_name(state_->engine.ssl()); }

std::optional<crypto::SpkiPin> TlsStream::peer_pin() const {
  X509* certificate = SSL_get0_peer_certificate(state_->engine.ssl());
  if (certificate == nullptr) return std::nullopt;
  const auto pin = crypto::spki_pin(to_der(certificate));
  if (pin.has_error()) return std::nullopt;
  return *pin;
}

}  // namespace village::net
