#include "service/tunnel_way_in.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "service/shaped_records.hpp"
#include "village/crypto/aead.hpp"
#include "village/htx/suite.hpp"
#include "village/net/deadline.hpp"
#include "village/wire/cbor.hpp"

namespace village::service {
namespace {

constexpr std::size_t flight_bytes_max = 4'096;  // of one side, padding of outer none included

// Context of the TLS exporter: DET-CBOR({"l2": "betanet/htx/1.2.0"}). Source: decisions/htx, prologue.
Result<htx::ExporterKey> exporter_key(const net::TlsStream& tls) {
  const auto context = wire::encode_cbor(
      wire::CborValue::map({{wire::CborValue::text("l2"), wire::CborValue::text("betanet/htx/1.2.0")}}));
  if (!context) return context.error();
  htx::ExporterKey key;
  VG_TRY_VOID(tls.exporter("betanet/1.2/inner", *context, key));
  return key;
}

// The Noise messages, either side. Gives the bytes that came behind the last one, and the round trip.
net::Task<Bytes> exchange(net::Core& core, net::Stream& stream, htx::Handshake& handshake, Duration& rtt) {
  std::optional<Instant> asked;
  ByteArray<flight_bytes_max> in;
  ByteArray<flight_bytes_max> out;
  std::size_t filled = 0;
  for (;;) {
    while (const auto size = handshake.poll_transmit(out)) {
      const auto sent = co_await stream.write_all(ByteView{out}.first(size));
      if (!sent) co_return sent.error();
      asked = core.clock().now();
    }
    if (handshake.done()) break;
    if (filled == in.size()) co_return fail(Errc::limit_exceeded);
    const auto read = co_await stream.read_some(ByteSpan{in}.subspan(filled));
    if (!read) co_return read.error();
    if (*read == 0) co_return fail(Errc::end_of_stream);
    filled += *read;
    if (asked && rtt == Duration{0}) rtt = core.clock().now() - *asked;
    const auto used = handshake.receive(ByteView{in}.first(filled));
    if (!used) co_return used.error();
    filled -= *used;
    std::memmove(in.data(), in.data() + *used, filled);
  }
  co_return to_bytes(ByteView{in}.first(filled));
}

/// The Host of a browser's request: the port only if it is not the scheme's.
std::string authority_of(const Target& address) {
  constexpr std::uint16_t https = 443;
  auto host = to_text(address.host);
  if (std::holds_alternative<Ipv6Address>(address.host) && !host.starts_with('[')) host = "[" + host + "]";
  return address.port == https ? host : host + ":" + std::to_string(address.port);
}

/// upgrade_head makes a fresh ticket and the request around it.
Result<std::string> upgrade_head(net::Core& core, const TunnelPeer& peer, const ClientPass& pass,
                                 const proxy::UpgradeKey& key) {
  VG_TRY(ticket, htx::make_ticket(*peer.ticket, core.clock().wall(), core.random(), pass.policy.padding));
  proxy::UpgradeRequest request{authority_of(*peer.address), peer.upgrade, {}, ticket};
  request.carrier = pass.policy.draw(core.random()) == htx::TicketCarrier::query
                        ? proxy::TicketCarrier::query
                        : proxy::TicketCarrier::cookie;
  return proxy::write_upgrade_request(pass.profile, request, key);
}

/// pass_ticket asks for the way in and reads the answer; nothing may follow it, for the client speaks first.
net::Task<void> pass_ticket(net::Core& core, net::TlsStream& tls, const TunnelPeer& peer,
                            const ClientPass& pass) {
  proxy::UpgradeKey key;
  core.random().fill(key);
  VG_CO_TRY(head, upgrade_head(core, peer, pass, key));
  VG_CO_TRY_VOID(co_await tls.write_all(as_bytes(head)));
  proxy::UpgradeAnswer answer{key};
  ByteArray<2'048> in;
  while (!answer.complete()) {
    VG_CO_TRY(size, co_await tls.read_some(in));
    if (size == 0) co_return fail(Errc::denied);
    const auto taken = answer.on_bytes(ByteView{in}.first(size));
    if (!taken) co_return fail(Errc::denied, taken.error().code == Errc::refused ? taken.error().detail : 0);
    if (*taken != size) co_return fail(Errc::denied);
  }
  co_return ok();
}

bool is_spoken(htx::Suite suite) {
  const auto* info = htx::suite_info(suite);
  return info != nullptr && htx::is_supported(suite) && !info->psk;  // no configuration gives a shared secret
}

bool is_fast(htx::Suite suite, bool aes_is_fast) {
  return aes_is_fast || htx::suite_info(suite)->algorithm == crypto::AeadAlgorithm::chacha20_poly1305;
}

net::Task<WayIn> noise_as_client(net::Core& core, net::StreamPtr stream, htx::ExporterKey exporter,
                                 std::shared_ptr<const crypto::Ed25519KeyPair> identity, TunnelPeer peer,
                                 std::size_t padding_bytes) {
  VG_CO_TRY(suite, choose_suite(peer.suites, crypto::aes_is_fast()));
  VG_CO_TRY(handshake, htx::Handshake::initiator(*identity, peer.key, suite, exporter, {padding_bytes, {}},
                                                 core.random()));
  Duration rtt{0};
  auto early = co_await exchange(core, *stream, handshake, rtt);
  if (!early) {
    const auto code = early.error().code;
    const bool hung_up = code == Errc::end_of_stream || code == Errc::reset || code == Errc::truncated;
    co_return hung_up ? Error{Errc::auth_failed} : early.error();
  }
  WayIn entered{std::move(stream), handshake.finish(), std::move(*early), rtt};
  co_return entered;
}

}  // namespace

std::vector<htx::Suite> allowed_suites(const TunnelOptions& options, const TunnelPeer& peer) {
  auto suites = peer.suites;
  if (options.require_pq) std::erase_if(suites, [](auto suite) { return !htx::suite_info(suite)->hybrid; });
  return suites;
}

Result<htx::Suite> choose_suite(const std::vector<htx::Suite>& offered, bool aes_is_fast) {
  const auto first = std::find_if(offered.begin(), offered.end(), is_spoken);
  if (first == offered.end()) return fail(Errc::unsupported);
  const bool hybrid = htx::suite_info(*first)->hybrid;
  const auto fast = std::find_if(first, offered.end(), [&](htx::Suite suite) {
    return is_spoken(suite) && is_fast(suite, aes_is_fast) && (!hybrid || htx::suite_info(suite)->hybrid);
  });
  return fast == offered.end() ? *first : *fast;
}

net::Task<WayIn> enter_as_server(net::Core& core, net::StreamPtr socket, ServerWayIn settings,
                                 Instant deadline, WayInStep& step) {
  const net::TlsStream* secured = nullptr;
  if (settings.tls) {
    step = WayInStep::tls;
    auto tls = co_await net::TlsStream::accept(core, std::move(socket), settings.tls, deadline);
    if (!tls) co_return tls.error();
    secured = tls->get();
    socket = std::move(*tls);
  }
  step = WayInStep::noise;
  auto done = co_await noise_as_server(core, *socket, secured, std::move(settings), deadline);
  if (!done) co_return done.error();
  WayIn entered{std::move(socket), std::move(done->keys), std::move(done->early), done->rtt};
  co_return entered;
}

net::Task<ServerNoise> noise_as_server(net::Core& core, net::Stream& stream, const net::TlsStream* tls,
                                       ServerWayIn settings, Instant deadline) {
  htx::ExporterKey exporter{};
  if (tls != nullptr) {
    VG_CO_TRY(key, exporter_key(*tls));
    exporter = key;
  }
  auto handshake =
      htx::Handshake::responder(*settings.identity, std::move(settings.suites), exporter, {}, core.random());
  Duration rtt{0};
  auto early = co_await net::with_deadline(core, exchange(core, stream, handshake, rtt), deadline);
  if (!early) co_return early.error();
  ServerNoise done{handshake.finish(), std::move(*early), rtt};
  co_return done;
}

net::Task<WayIn> enter_as_client(net::Core& core, net::TcpDialer& dialer,
                                 std::shared_ptr<net::TlsClientContext> tls,
                                 std::shared_ptr<const crypto::Ed25519KeyPair> identity, TunnelPeer peer,
                                 Instant deadline, ClientPass pass) {
  auto dialed = co_await dialer.dial(*peer.address, deadline);
  if (!dialed) co_return dialed.error();
  net::StreamPtr stream = std::move(*dialed);
  htx::ExporterKey exporter{};
  std::size_t padding_bytes = 0;
  if (peer.outer == Outer::tls) {
    if (pass.shape) padding_bytes = pass.shape->draw_handshake_padding(htx::Role::client, core.random());
    const auto name = to_text(peer.address->host);
    net::TlsServerName server;
    if (std::holds_alternative<DomainName>(peer.address->host)) server.sni = name;
    server.trust.pin = peer.pin;
    server.trust.name = name;
    auto secured = co_await net::TlsStream::connect(core, std::move(stream), std::move(tls),
                                                    std::move(server), deadline);
    if (!secured) co_return secured.error();
    if (peer.ticket) {
      const auto passed =
          co_await net::with_deadline(core, pass_ticket(core, **secured, peer, pass), deadline);
      if (!passed) co_return passed.error();
    }
    VG_CO_TRY(key, exporter_key(**secured));
    exporter = key;
    if (pass.shape) {  // the padded message is the first that does not fit a segment
      (*secured)->shape_records(
          std::make_unique<ShapedRecords>(pass.shape, htx::Role::client, core.random()));
    }
    stream = std::move(*secured);
  }
  auto entered = co_await net::with_deadline(
      core,
      noise_as_client(core, std::move(stream), exporter, std::move(identity), std::move(peer), padding_bytes),
      deadline);
  co_return entered;
}

}  // namespace village::service
