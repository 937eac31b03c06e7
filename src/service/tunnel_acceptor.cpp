#include "service/tunnel_acceptor.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "service/tunnel_metrics.hpp"
#include "service/tunnel_way_in.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"

namespace village::service {

using tunnel_metrics::Refusal;

namespace {

// One of a number of places shared by all cores; given back when the holder dies.
class Place {
 public:
  static std::optional<Place> take(std::atomic<std::uint32_t>& taken, std::uint32_t places) {
    if (taken.fetch_add(1, std::memory_order_relaxed) < places) return Place{taken};
    taken.fetch_sub(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  Place(Place&& other) noexcept : taken_{std::exchange(other.taken_, nullptr)} {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (taken_ != nullptr) taken_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  explicit Place(std::atomic<std::uint32_t>& taken) : taken_{&taken} {}
  std::atomic<std::uint32_t>* taken_;
};

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

Error refused(Refusal reason, Error error) {
  tunnel_metrics::refuse(reason);
  return error;
}

}  // namespace

boost::asio::awaitable<void> TunnelAcceptor::serve() {
  co_await listener_->serve(context_.core, [this](net::Core&, net::Accepted connection) {
    return accepted(std::move(connection.stream));
  });
}

boost::asio::awaitable<void> TunnelAcceptor::accepted(net::StreamPtr socket) {
  const auto options = context_.options;  // a reload may replace them under way
  auto session = Place::take(context_.counts->inbound_sessions, options->inbound_sessions_max);
  if (!session || context_.draining) {
    tunnel_metrics::refuse(context_.draining ? Refusal::draining : Refusal::sessions_full);
    co_return;
  }
  Bytes early;
  const auto link = co_await enter(std::move(socket), early);
  if (!link) {
    VG_LOG(debug, "htx", "refuse reason={}", name(link.error().code));
    co_return;
  }
  co_await context_.run_link(*link, std::move(early), {});
}

net::Task<std::shared_ptr<TunnelLink>> TunnelAcceptor::enter(net::StreamPtr socket, Bytes& early) {
  const auto options = context_.options;
  const auto handshake = Place::take(context_.counts->handshakes, options->handshakes_max);
  if (!handshake) co_return refused(Refusal::handshakes_full, Error{Errc::busy});
  const PendingHandshake pending;
  const auto begin = context_.core.clock().now();
  WayInStep step{};
  ServerWayIn settings{options->identity, tls_,
                       suites_of(*options)};  // named: g++ 12 copies it bitwise otherwise
  auto entered = co_await enter_as_server(context_.core, std::move(socket), std::move(settings),
                                          begin + options->handshake_timeout, step);
  if (!entered) {
    const bool by_tls = step == WayInStep::tls && entered.error().code != Errc::timed_out;
    co_return refused(by_tls ? Refusal::tls : tunnel_metrics::refusal_of(entered.error()), entered.error());
  }
  // The allow-list of now, not of when the handshake began.
  const auto* peer = context_.peer(entered->keys.peer_key);
  if (peer == nullptr || !peer->allow_inbound)
    co_return refused(Refusal::not_allowed, Error{Errc::auth_failed});
  const auto suite = entered->keys.suite;
  if (std::find(peer->suites.begin(), peer->suites.end(), suite) == peer->suites.end())
    co_return refused(Refusal::suite_not_allowed, Error{Errc::version});
  if (context_.draining) co_return refused(Refusal::draining, Error{Errc::busy});
  tunnel_metrics::handshakes_in_ok.add();
  tunnel_metrics::handshake_in_seconds.record_ns(
      static_cast<std::uint64_t>((context_.core.clock().now() - begin).count()));
  early = std::move(entered->early);
  LinkFacts facts{peer->name, peer->key, true, tls_ ? Outer::tls : Outer::none, suite};
  auto session = context_.options->session;
  session.handshake_rtt = entered->rtt;
  co_return std::make_shared<TunnelLink>(context_.core, std::move(entered->stream), std::move(entered->keys),
                                         session, std::move(facts));
}

}  // namespace village::service
