#include "service/tunnel_reception.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "service/buffer_pool.hpp"
#include "service/decoy_metrics.hpp"
#include "service/decoy_site_h2.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"
#include "village/proxy/http_date.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {

using decoy_metrics::Stranger;
using proxy::UpgradeWatch;

/// Seat is a stranger's place: one of all, and one of his network's share.
struct TunnelReception::Seat {
  Place all;
  Place share;
};

struct TunnelReception::Origins {
  /// begin dials the one that a client will mean who has agreed on `alpn`.
  void begin(std::string_view alpn) { (alpn == "h2" ? http2 : http1).begin(); }

  DecoyOrigin http1, http2;
};

namespace {

struct OpenSplice {
  OpenSplice() { decoy_metrics::splices.add(); }
  OpenSplice(const OpenSplice&) = delete;
  OpenSplice& operator=(const OpenSplice&) = delete;
  ~OpenSplice() { decoy_metrics::splices.sub(); }
};

Stranger reason_of(UpgradeWatch::Reason reason) {
  switch (reason) {
    case UpgradeWatch::Reason::not_http:
      return Stranger::not_http;
    case UpgradeWatch::Reason::not_upgrade:
      return Stranger::not_upgrade;
    case UpgradeWatch::Reason::no_ticket:
      return Stranger::no_ticket;
    case UpgradeWatch::Reason::too_long:
      return Stranger::too_long;
    case UpgradeWatch::Reason::pipelined:
      return Stranger::pipelined;
    case UpgradeWatch::Reason::none:
      break;
  }
  return Stranger::bad_ticket;
}

/// complain tells the operator, once a minute at most, that strangers meet a dead web server.
void complain(net::Core& core, const Target& origin) {
  static std::atomic<std::int64_t> next{0};
  const auto now = core.clock().now().time_since_epoch().count();
  auto due = next.load(std::memory_order_relaxed);
  const auto after = now + Duration{std::chrono::minutes{1}}.count();
  if (now < due || !next.compare_exchange_strong(due, after)) return;
  VG_LOG(warn, "htx", "decoy origin_down origin={}", to_text(origin));
}

constexpr std::byte tls_handshake{0x16};
constexpr std::byte sslv2_bit{0x80};

}  // namespace

TunnelReception::TunnelReception(TunnelContext& context, std::shared_ptr<net::TlsServerContext> tls,
                                 TicketAdmit admit)
    : context_{context},
      tls_{std::move(tls)},
      admit_{std::move(admit)},
      to_origin_{context.core},
      gate_{context.core},
      vigil_{context.core} {}

net::Task<std::unique_ptr<net::TlsStream>> TunnelReception::receive(std::unique_ptr<net::SocketStream> socket,
                                                                    net::Ip from,
                                                                    std::optional<Place>& handshake) {
  const auto options = context_.options;
  const auto& decoy = options->decoy;
  const auto deadline = net::after(context_.core, decoy.tls_timeout);
  VG_CO_TRY(is_tls, co_await begins_with_tls(*socket, deadline));
  if (!is_tls) {
    handshake.reset();
    const auto served = co_await receive_plain(*socket, from);
    co_return served.error();
  }
  // Two, for which is wanted comes to light in the midst of TLS.
  Origins origins{{context_.core, to_origin_, decoy.origin, decoy.tls_timeout},
                  {context_.core, to_origin_, decoy.origin_h2, decoy.tls_timeout}};
  auto received = co_await receive_tls(std::move(socket), from, deadline, handshake, origins);
  co_await origins.http1.end();
  co_await origins.http2.end();
  co_return received;
}

net::Task<void> TunnelReception::receive_plain(net::SocketStream& socket, net::Ip from) {
  decoy_metrics::decoyed(Stranger::not_tls);
  const auto options = context_.options;
  const auto seated = seat(from);
  if (!seated || !options->decoy.origin_plain) co_return fail(Errc::denied);
  DecoyOrigin origin{context_.core, to_origin_, options->decoy.origin_plain, options->decoy.tls_timeout};
  (void)co_await serve_stranger(socket, origin, false, nullptr);
  co_await origin.end();
  co_return fail(Errc::denied);
}

net::Task<std::unique_ptr<net::TlsStream>> TunnelReception::receive_tls(
    std::unique_ptr<net::SocketStream> socket, net::Ip from, Instant deadline,
    std::optional<Place>& handshake, Origins& origins) {
  const auto options = context_.options;
  net::TlsStream::AcceptHooks hooks;
  hooks.turn = [this, from] { return gate_.pass(from); };
  hooks.waiting = [&origins](std::string_view alpn) { origins.begin(alpn); };
  VG_CO_TRY(tls, co_await net::TlsStream::accept(context_.core, std::move(socket), tls_, deadline,
                                                 std::move(hooks)));
  tls->use_whole_records(true);
  auto seated = seat(from);
  // Strangers with a seat do not use up what peers need; who has none stays within the bound of handshakes.
  if (seated) handshake.reset();
  if (tls->alpn() == "h2" || tls->version() < net::TlsVersion::v1_3) {
    const bool http2 = tls->alpn() == "h2";
    decoy_metrics::decoyed(http2 ? Stranger::http2 : Stranger::old_tls);
    auto& origin = http2 ? origins.http2 : origins.http1;
    if (seated && origin.target()) {
      (void)co_await serve_stranger(*tls, origin, http2, nullptr);
    } else if (seated && site_) {
      co_await show_site(*tls, http2);
    }
    co_return fail(Errc::denied);
  }
  UpgradeWatch watch{options->upgrade};
  const DecoySplice::Judge judge = [this, &watch, &from](ByteView bytes) {
    return this->judge(watch, bytes, from);
  };
  if (seated && origins.http1.target()) {
    const auto end = co_await serve_stranger(*tls, origins.http1, false, judge);
    if (end != SpliceEnd::admitted) {
      if (watch.verdict() == UpgradeWatch::Verdict::undecided) decoy_metrics::decoyed(Stranger::silent);
      co_return fail(Errc::denied);
    }
  } else {
    VG_CO_TRY_VOID(co_await receive_alone(*tls, judge, seated.has_value()));
  }
  seated.reset();
  if (!handshake) handshake = Place::take(context_.counts->handshakes, options->handshakes_max);
  if (!handshake) co_return fail(Errc::busy);
  VG_CO_TRY_VOID(co_await answer(*tls, watch));
  co_return std::move(tls);
}

net::Task<bool> TunnelReception::begins_with_tls(net::SocketStream& socket, Instant deadline) {
  std::array<std::byte, 1> first{};
  for (;;) {
    const auto there = socket.try_peek(first);
    if (there && *there == 0) co_return fail(Errc::end_of_stream);
    if (there) co_return first[0] == tls_handshake || (first[0] & sslv2_bit) != std::byte{0};
    if (there.error().code != Errc::busy) co_return there.error();
    VG_CO_TRY_VOID(co_await net::with_deadline(context_.core, socket.wait_readable(), deadline));
  }
}

std::optional<TunnelReception::Seat> TunnelReception::seat(const net::Ip& from) {
  const auto& decoy = context_.options->decoy;
  auto share = context_.counts->stranger_shares.take(from, decoy.connections_share_max);
  if (!share) {
    decoy_metrics::refused_share.add();
    return std::nullopt;
  }
  auto all = Place::take(context_.counts->strangers, decoy.connections_max);
  if (!all) {
    decoy_metrics::refused_full.add();
    return std::nullopt;
  }
  return Seat{std::move(*all), std::move(*share)};
}

boost::asio::awaitable<SpliceEnd> TunnelReception::serve_stranger(net::Stream& client, DecoyOrigin& origin,
                                                                  bool http2, DecoySplice::Judge judge) {
  const OpenSplice open;
  const auto& decoy = context_.options->decoy;
  const DecoySplice::Options options{decoy.connection_timeout, http2};
  DecoySplice splice{context_.core, vigil_, origin, client, options, std::move(judge)};
  const auto end = co_await splice.run();
  if (end == SpliceEnd::origin_down) {
    decoy_metrics::origin_down.add();
    complain(context_.core, *origin.target());
  }
  if (end == SpliceEnd::timed_out) decoy_metrics::ended_by_limit.add();
  co_return end;
}

boost::asio::awaitable<void> TunnelReception::show_site(net::Stream& client, bool http2) {
  const OpenSplice open;
  const auto site = site_;
  const auto end = net::after(context_.core, context_.options->decoy.connection_timeout);
  if (http2) {
    co_await DecoySiteH2::serve(site, context_.core, client, end);
  } else {
    co_await DecoySite::serve(site, context_.core, client, {}, end);
  }
}

/// receive_alone is for nodes without an origin, and for times without a place for strangers: peers still
/// come in.
net::Task<void> TunnelReception::receive_alone(net::TlsStream& client, DecoySplice::Judge judge,
                                               bool seated) {
  const auto site = seated ? site_ : nullptr;
  const auto options = context_.options;
  const auto patience = site ? options->decoy.tls_timeout : options->handshake_timeout;
  Bytes held;
  const auto judged = co_await net::with_deadline(context_.core, judge_alone(client, std::move(judge), held),
                                                  net::after(context_.core, patience));
  if (!judged) co_return judged.error();
  if (*judged == Judgement::admit) co_return ok();
  if (site) {
    const OpenSplice open;
    const auto end = net::after(context_.core, options->decoy.connection_timeout);
    co_await DecoySite::serve(site, context_.core, client, std::move(held), end);
  }
  co_return fail(Errc::denied);
}

net::Task<TunnelReception::Judgement> TunnelReception::judge_alone(net::TlsStream& client,
                                                                   DecoySplice::Judge judge, Bytes& held) {
  for (;;) {
    auto buffer = Buffer::lease(limits::decoy_buffer_bytes);
    VG_CO_TRY(size, co_await client.read_some(buffer.span()));
    if (size == 0) co_return fail(Errc::end_of_stream);
    const auto piece = ByteView{buffer.span()}.first(size);
    const auto judgement = judge(piece);
    if (judgement == Judgement::admit) co_return judgement;
    held.insert(held.end(), piece.begin(), piece.end());
    if (judgement == Judgement::stranger) co_return judgement;
  }
}

TunnelReception::Judgement TunnelReception::judge(UpgradeWatch& watch, ByteView bytes, const net::Ip& from) {
  switch (watch.on_bytes(bytes)) {
    case UpgradeWatch::Verdict::undecided:
      return Judgement::undecided;
    case UpgradeWatch::Verdict::other:
      decoy_metrics::decoyed(reason_of(watch.reason()));
      return Judgement::stranger;
    case UpgradeWatch::Verdict::upgrade:
      break;
  }
  if (!context_.draining && admit_(watch.ticket(), from)) return Judgement::admit;
  decoy_metrics::decoyed(Stranger::bad_ticket);
  return Judgement::stranger;
}

net::Task<void> TunnelReception::answer(net::TlsStream& client, const UpgradeWatch& watch) {
  client.use_whole_records(false);
  const auto head = proxy::write_upgrade_answer(watch.key(), proxy::http_date(context_.core.clock().wall()));
  const auto deadline = net::after(context_.core, context_.options->handshake_timeout);
  VG_CO_TRY_VOID(co_await net::with_deadline(context_.core, client.write_all(as_bytes(head)), deadline));
  decoy_metrics::ways_in.add();
  co_return ok();
}

boost::asio::awaitable<void> TunnelReception::stay_silent(net::TlsStream& stream, net::Ip from,
                                                          Instant heard) {
  const auto seated = seat(from);
  if (!seated) co_return;
  decoy_metrics::silent_ends.add();
  const auto options = context_.options;
  const auto& shape = options->session.shape;
  const auto patience =
      shape ? shape->draw_websocket_timeout(context_.core.random()) : options->decoy.silent_timeout;
  const auto end = net::after(context_.core, options->decoy.connection_timeout);
  auto buffer = Buffer::lease(limits::decoy_buffer_bytes);
  for (;;) {
    const auto deadline = std::min(heard + patience, end);
    const auto got = co_await net::with_deadline(context_.core, stream.read_some(buffer.span()), deadline);
    heard = context_.core.clock().now();
    if (got && *got != 0) continue;
    if (got || got.error().code == Errc::timed_out) (void)co_await stream.shutdown_write();
    co_return;
  }
}

}  // namespace village::service
