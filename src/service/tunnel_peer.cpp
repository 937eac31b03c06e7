#include "service/tunnel_peer.hpp"

#include <algorithm>
#include <utility>

#include "service/tunnel_metrics.hpp"
#include "service/tunnel_udp.hpp"
#include "village/base/log.hpp"
#include "village/htx/stream_header.hpp"
#include "village/net/deadline.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {

using tunnel_metrics::Ending;

namespace {

class Waiting {
 public:
  explicit Waiting(std::size_t& count) : count_{count} {
    ++count_;
    tunnel_metrics::dials_waiting.add();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    --count_;
    tunnel_metrics::dials_waiting.sub();
  }

 private:
  std::size_t& count_;
};

bool same_way(const TunnelPeer& a, const TunnelPeer& b) {
  return a.address == b.address && a.outer == b.outer && a.pin == b.pin && a.suites == b.suites &&
         a.ticket == b.ticket && a.upgrade == b.upgrade;
}

std::string explain(Error error) {
  std::string text{name(error.code)};
  if (error.code == Errc::auth_failed)
    text += ": the peer hung up in the handshake (is its key right, and are we on its list?)";
  if (error.code == Errc::denied) {
    text = error.detail == 0 ? "no answer of a villaged"
                             : "the peer answered " + std::to_string(error.detail) + " like a web server";
    text += ": it refused the ticket (old invitation, wrong path, clocks apart?), or is no villaged";
  }
  if (error.code == Errc::bad_certificate)
    text += ": the certificate is not the pinned one, or does not verify";
  return text;
}

}  // namespace

Duration backoff(unsigned failures, Duration min, Duration max, RandomSource& random) {
  Duration top = std::max(min, Duration{1});
  for (unsigned i = 1; i < failures && top < max; ++i) top *= 2;
  top = std::min(top, max);
  return Duration{static_cast<Duration::rep>(random.unit() * static_cast<double>(top.count()))};
}

TunnelPeerDialer::TunnelPeerDialer(TunnelContext& context, TunnelPeer peer)
    : context_{context}, peer_{std::move(peer)}, changed_{context.core} {}

// --- dialling

net::Task<net::StreamPtr> TunnelPeerDialer::dial(Target target, Instant deadline) {
  htx::StreamHeader header{htx::Service::tcp, std::move(target)};
  auto stream = co_await ask(std::move(header), htx::Priority::interactive, deadline);
  if (!stream) co_return stream.error();
  co_return net::StreamPtr{std::move(*stream)};
}

net::Task<net::DatagramPathPtr> TunnelPeerDialer::associate(net::DatagramPath::Receive receive,
                                                            Instant deadline) {
  htx::StreamHeader header{htx::Service::udp, std::nullopt};
  auto stream = co_await ask(std::move(header), htx::Priority::urgent, deadline);
  if (!stream) co_return stream.error();
  co_return std::make_unique<TunnelDatagramPath>(std::move(*stream), std::move(receive));
}

net::Task<std::unique_ptr<TunnelStream>> TunnelPeerDialer::open(htx::Service service, Instant deadline) {
  htx::StreamHeader header{service, std::nullopt};
  return ask(std::move(header), htx::Priority::interactive, deadline);
}

net::Task<std::unique_ptr<TunnelStream>> TunnelPeerDialer::ask(htx::StreamHeader header,
                                                               htx::Priority priority, Instant deadline) {
  for (;;) {
    auto link = co_await session(deadline);
    if (!link) co_return link.error();
    auto stream = co_await ask_over(*link, header, priority, deadline);
    if (stream) co_return stream;
    // The session died under the stream: no answer came, so nothing was delivered, and the next one may do
    // better.
    const bool lost =
        !(*link)->usable() && (stream.error().code == Errc::reset || stream.error().code == Errc::closed);
    if (!lost) co_return stream.error();
  }
}

net::Task<std::unique_ptr<TunnelStream>> TunnelPeerDialer::ask_over(std::shared_ptr<TunnelLink> link,
                                                                    htx::StreamHeader header,
                                                                    htx::Priority priority,
                                                                    Instant deadline) {
  auto stream = co_await link->open(priority, deadline);
  if (!stream) co_return stream.error();
  VG_CO_TRY(written, htx::encode_stream_header(header));
  VG_CO_TRY_VOID((*stream)->say(written));
  (*stream)->expect_status();
  const auto answered = co_await net::with_deadline(context_.core, (*stream)->await_status(), deadline);
  if (!answered) co_return answered.error();
  co_return std::move(*stream);
}

net::Task<std::shared_ptr<TunnelLink>> TunnelPeerDialer::session(Instant deadline) {
  if (dials_waiting_ >= limits::tunnel_dials_waiting_max) co_return fail(Errc::busy);
  const Waiting waiting{dials_waiting_};
  for (;;) {
    if (removed_ || context_.draining) co_return fail(removed_ ? Errc::not_found : Errc::cancelled);
    if (!peer_.address) co_return fail(Errc::not_found);
    if (link_ && link_->usable()) co_return link_;
    if (state_ == State::idle) {
      state_ = State::connecting;
      if (!context_.tasks.spawn([this] { return connect_loop(); })) co_return fail(Errc::cancelled);
      continue;  // it may have failed already
    }
    const auto woken = co_await changed_.wait_until(deadline);
    if (woken) continue;
    if (woken.error().code == Errc::timed_out && last_error_) co_return *last_error_;
    co_return woken.error();
  }
}

// --- connecting

boost::asio::awaitable<void> TunnelPeerDialer::connect_loop() {
  while (dials_waiting_ != 0 && !removed_ && !context_.draining && !context_.tasks.cancelled()) {
    if (now() < not_before_) {
      state_ = State::waiting;
      (void)co_await changed_.wait_until(not_before_);
      continue;
    }
    state_ = State::connecting;
    const auto connected = co_await connect_once();
    if (connected) break;
    failed(connected.error());
  }
  state_ = State::idle;
  changed_.notify();
}

net::Task<void> TunnelPeerDialer::connect_once() {
  const auto options = context_.options;
  auto peer = peer_;  // a reload may change it under way
  peer.suites = allowed_suites(*options, peer);
  if (attempts_++ != 0) tunnel_metrics::reconnects.add();
  if (peer.outer == Outer::tls && !context_.tls_client) {
    auto made = net::TlsClientContext::make(net::TlsClientOptions{{"http/1.1"}, net::TlsVersion::v1_3});
    if (!made) co_return made.error();
    context_.tls_client = std::move(*made);
  }
  const auto begin = now();
  ClientPass pass{options->tickets.policy};
  pass.shape = options->session.shape;
  auto entered =
      co_await enter_as_client(context_.core, context_.to_peers, context_.tls_client, options->identity, peer,
                               begin + options->dial_timeout, std::move(pass));
  if (!entered) co_return entered.error();
  if (removed_ || peer.key != peer_.key || !same_way(peer, peer_)) co_return fail(Errc::cancelled);
  tunnel_metrics::handshakes_out_ok.add();
  tunnel_metrics::handshake_out_seconds.record_ns(static_cast<std::uint64_t>((now() - begin).count()));
  LinkFacts facts{peer.name, peer.key, false, peer.outer, entered->keys.suite};
  auto session = options->session;
  session.handshake_rtt = entered->rtt;
  auto link = std::make_shared<TunnelLink>(context_.core, std::move(entered->stream),
                                           std::move(entered->keys), session, std::move(facts));
  link->close_when_idle(options->idle_timeout);
  const bool started = context_.tasks.spawn(
      [this, link, early = std::move(entered->early)]() mutable { return run(link, std::move(early)); });
  if (!started) co_return fail(Errc::cancelled);
  if (!link->over()) link_ = std::move(link);
  co_return ok();
}

boost::asio::awaitable<void> TunnelPeerDialer::run(std::shared_ptr<TunnelLink> link, Bytes early) {
  // The handshake alone does not prove that the peer took us: the responder judges us by the last message.
  // Its first frame does.
  const auto error = co_await context_.run_link(link, std::move(early), [this] {
    failures_ = 0;
    not_before_ = Instant::min();
    last_error_.reset();
    last_error_text_.clear();
  });
  if (link_ == link) link_.reset();
  if (!link->ready() && error.code != Errc::closed && error.code != Errc::cancelled) {
    failed(Error{Errc::auth_failed});
  } else if (error.code != Errc::closed) {
    last_error_text_ = explain(error);
  }
  changed_.notify();
}

void TunnelPeerDialer::failed(Error error) {
  tunnel_metrics::dial_failed(error);
  if (error.code == Errc::cancelled) return;
  last_error_ = error;
  last_error_text_ = explain(error);
  ++failures_;
  const auto& options = *context_.options;
  not_before_ = now() + backoff(failures_, options.backoff_min, options.backoff_max, context_.core.random());
  VG_LOG(debug, "htx", "connect failed peer={} reason={} failures={}", peer_.name, name(error.code),
         failures_);
}

// --- configuration

void TunnelPeerDialer::update(const TunnelPeer& peer) {
  const bool other_node = peer.key != peer_.key;
  const bool other_way = !same_way(peer, peer_);
  peer_ = peer;
  removed_ = false;
  if (!other_node && !other_way) return;
  failures_ = 0;
  not_before_ = Instant::min();
  last_error_.reset();
  last_error_text_.clear();
  if (auto link = std::exchange(link_, nullptr)) {
    if (other_node) {
      link->close(htx::Code::ok, "configuration changed", Ending::removed);
    } else {
      link->retire(Ending::removed, "configuration changed");
    }
  }
  changed_.notify();
}

void TunnelPeerDialer::remove() {
  removed_ = true;
  if (auto link = std::exchange(link_, nullptr)) link->close(htx::Code::ok, "peer removed", Ending::removed);
  changed_.notify();
}

std::optional<SessionStatus> TunnelPeerDialer::status() const {
  if (removed_ || !peer_.address || link_) return std::nullopt;
  SessionStatus row;
  row.peer = peer_.name;
  row.node = wire::NodeId::of(peer_.key).name();
  row.state = state_ == State::idle ? "idle" : state_ == State::waiting ? "waiting" : "connecting";
  row.outer = peer_.outer;
  row.core = context_.core.index();
  row.last_error = last_error_text_;
  return row;
}

}  // namespace village::service
