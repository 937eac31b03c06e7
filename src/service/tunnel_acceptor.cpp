#include "service/tunnel_acceptor.hpp"

#include <algorithm>
#include <utility>

#include "service/tunnel_metrics.hpp"
#include "service/tunnel_way_in.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"

namespace village::service {

using tunnel_metrics::Refusal;

namespace {

class PendingHandshake {
 public:
  PendingHandshake() { tunnel_metrics::handshakes_pending.add(); }
  PendingHandshake(const PendingHandshake&) = delete;
  PendingHandshake& operator=(const PendingHandshake&) = delete;
  ~PendingHandshake() { tunnel_metrics::handshakes_pending.sub(); }
};

// Suites that any peer who may come in is allowed to use.
std::vector<htx::Suite> suites_of(const TunnelOptions& options) {
  std::vector<htx::Suite> suites;
  for (const auto& peer : options.peers) {
    if (!peer.allow_inbound) continue;
    for (const auto suite : allowed_suites(options, peer)) {
      if (std::find(suites.begin(), suites.end(), suite) == suites.end()) suites.push_back(suite);
    }
  }
  return suites;
}

// A place for a handshake. Neighbours have a share, and a wider network half of all: a crowd that spreads its
// addresses leaves places to the others.
std::optional<Place> take_handshake(TunnelCounts& counts, const TunnelOptions& options, const net::Ip& from) {
  auto near = counts.handshake_shares.take(from, options.decoy.handshakes_share_max);
  auto wide = counts.handshake_wide_shares.take(from, (options.handshakes_max + 1) / 2);
  auto place = Place::take(counts.handshakes, options.handshakes_max);
  if (!near || !wide || !place) return std::nullopt;
  place->join(std::move(*near));
  place->join(std::move(*wide));
  return place;
}

Error refused(Refusal reason, Error error) {
  tunnel_metrics::refuse(reason);
  return error;
}

}  // namespace

TunnelAcceptor::TunnelAcceptor(TunnelContext& context, std::shared_ptr<net::Listener> listener,
                               std::shared_ptr<net::TlsServerContext> tls, TicketAdmit admit)
    : context_{context}, listener_{std::move(listener)}, tls_{std::move(tls)} {
  if (admit) reception_ = std::make_unique<TunnelReception>(context_, tls_, std::move(admit));
}

void TunnelAcceptor::use_tls(std::shared_ptr<net::TlsServerContext> tls) {
  if (reception_) reception_->use_tls(tls);
  tls_ = std::move(tls);
}

boost::asio::awaitable<void> TunnelAcceptor::serve() {
  co_await listener_->serve(context_.core, [this](net::Core&, net::Accepted connection) {
    return accepted(std::move(connection));
  });
}

boost::asio::awaitable<void> TunnelAcceptor::accepted(net::Accepted connection) {
  const auto options = context_.options;  // a reload may replace them under way
  std::optional<Place> session;
  // With tickets most who come are strangers; a peer's place is taken when he has shown who he is.
  if (!reception_) session = Place::take(context_.counts->inbound_sessions, options->inbound_sessions_max);
  if ((!reception_ && !session) || context_.draining) {
    tunnel_metrics::refuse(context_.draining ? Refusal::draining : Refusal::sessions_full);
    co_return;
  }
  Bytes early;
  const auto link = co_await enter(std::move(connection), early, session);
  if (!link) {
    VG_LOG(debug, "htx", "refuse reason={}", name(link.error().code));
    co_return;
  }
  co_await context_.run_link(*link, std::move(early), {});
}

net::Task<std::shared_ptr<TunnelLink>> TunnelAcceptor::enter(net::Accepted connection, Bytes& early,
                                                             std::optional<Place>& session) {
  const auto options = context_.options;
  const auto from = connection.peer ? connection.peer->ip : net::Ip{};
  auto handshake = take_handshake(*context_.counts, *options, from);
  if (!handshake) co_return refused(Refusal::handshakes_full, Error{Errc::busy});
  const PendingHandshake pending;
  const auto begin = context_.core.clock().now();
  ServerWayIn settings{options->identity, tls_,
                       suites_of(*options)};  // named: g++ 12 copies it bitwise otherwise
  if (reception_) {
    auto entered = co_await enter_by_ticket(std::move(connection), handshake, std::move(settings));
    if (!entered) co_return entered.error();
    session = Place::take(context_.counts->inbound_sessions, options->inbound_sessions_max);
    if (!session) co_return refused(Refusal::sessions_full, Error{Errc::busy});
    co_return make_link(std::move(*entered), begin, early);
  }
  WayInStep step{};
  auto entered = co_await enter_as_server(context_.core, std::move(connection.stream), std::move(settings),
                                          begin + options->handshake_timeout, step);
  if (!entered) {
    const bool by_tls = step == WayInStep::tls && entered.error().code != Errc::timed_out;
    co_return refused(by_tls ? Refusal::tls : tunnel_metrics::refusal_of(entered.error()), entered.error());
  }
  co_return make_link(std::move(*entered), begin, early);
}

net::Task<WayIn> TunnelAcceptor::enter_by_ticket(net::Accepted connection, std::optional<Place>& handshake,
                                                 ServerWayIn settings) {
  const auto from = connection.peer ? connection.peer->ip : net::Ip{};
  auto tls = co_await reception_->receive(std::move(connection.stream), from, handshake);
  if (!tls) {
    const auto code = tls.error().code;
    if (code == Errc::denied) co_return tls.error();  // counted as a stranger
    co_return refused(code == Errc::busy ? Refusal::handshakes_full : Refusal::tls, tls.error());
  }
  const auto answered = context_.core.clock().now();
  const auto deadline = answered + context_.options->handshake_timeout;
  auto done = co_await noise_as_server(context_.core, **tls, tls->get(), std::move(settings), deadline);
  if (!done) {
    (void)refused(tunnel_metrics::refusal_of(done.error()), done.error());
    handshake.reset();
    const auto code = done.error().code;
    const bool gone = code == Errc::end_of_stream || code == Errc::reset || code == Errc::truncated;
    // Who has said nothing, or too little, waits no longer than who has said something wrong.
    const auto heard = code == Errc::timed_out ? answered : context_.core.clock().now();
    if (!gone) co_await reception_->stay_silent(**tls, from, heard);
    co_return done.error();
  }
  WayIn entered{std::move(*tls), std::move(done->keys), std::move(done->early), done->rtt};
  co_return entered;
}

Result<std::shared_ptr<TunnelLink>> TunnelAcceptor::make_link(WayIn entered, Instant begin, Bytes& early) {
  // The allow-list of now, not of when the handshake began.
  const auto* peer = context_.peer(entered.keys.peer_key);
  if (peer == nullptr || !peer->allow_inbound) return refused(Refusal::not_allowed, Error{Errc::auth_failed});
  const auto suite = entered.keys.suite;
  if (std::find(peer->suites.begin(), peer->suites.end(), suite) == peer->suites.end())
    return refused(Refusal::suite_not_allowed, Error{Errc::version});
  if (context_.draining) return refused(Refusal::draining, Error{Errc::busy});
  tunnel_metrics::handshakes_in_ok.add();
  tunnel_metrics::handshake_in_seconds.record_ns(
      static_cast<std::uint64_t>((context_.core.clock().now() - begin).count()));
  early = std::move(entered.early);
  LinkFacts facts{peer->name, peer->key, true, tls_ ? Outer::tls : Outer::none, suite};
  auto session = context_.options->session;
  session.handshake_rtt = entered.rtt;
  return std::make_shared<TunnelLink>(context_.core, std::move(entered.stream), std::move(entered.keys),
                                      session, std::move(facts));
}

}  // namespace village::service
