#include "service/gateway_connection.hpp"

#include "service/gateway_http.hpp"
#include "service/gateway_udp.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"
#include "village/net/relay.hpp"
#include "village/proxy/detect.hpp"
#include "village/service/gateway_limits.hpp"

namespace village::service {

namespace asio = boost::asio;
using net::Task;

GatewayConnection::GatewayConnection(GatewayContext& context, std::shared_ptr<const GatewayPlan> plan,
                                     const GatewayPlan::Inbound& inbound, net::Accepted accepted)
    : context_{context},
      plan_{std::move(plan)},
      inbound_{inbound},
      accepted_{std::move(accepted)},
      client_{*accepted_.stream} {}

asio::awaitable<void> GatewayConnection::run() {
  auto& core = context_.core;
  const auto deadline = net::after(core, plan_->options().handshake_timeout);
  const auto first =
      co_await net::with_deadline(core, inbox_.fill(client_, gateway_limits::handshake_read_bytes), deadline);
  if (!first || *first == 0) {
    count_refusal(first ? Errc::end_of_stream : first.error().code);
    co_return;
  }
  switch (proxy::detect(inbox_.view().front())) {
    case proxy::Protocol::socks5:
      co_await run_socks5(deadline);
      break;
    case proxy::Protocol::socks4:
      co_await run_socks4(deadline);
      break;
    case proxy::Protocol::http:
      co_await run_http(deadline);
      break;
  }
}

void GatewayConnection::count_refusal(Errc code) {
  gateway_metrics::refuse(gateway_metrics::refusal_of_handshake(code));
  VG_LOG(debug, "proxy", "refused inbound={} reason={}", inbound_.name, name(code));
}

// ------------------------------------------------------------------ SOCKS5

asio::awaitable<void> GatewayConnection::run_socks5(Instant deadline) {
  auto request = co_await net::with_deadline(context_.core, negotiate_socks5(), deadline);
  if (!request) {
    count_refusal(request.error().code);
    if (request.error().code != Errc::timed_out) co_await farewell();
    co_return;
  }
  if (request->command == proxy::Socks5Command::udp_associate) {
    gateway_metrics::udp_requests.add();
    co_await associate(*request);
  } else {
    gateway_metrics::socks5_requests.add();
    co_await connect(std::move(request->target));
  }
}

Task<proxy::Socks5Request> GatewayConnection::negotiate_socks5() {
  proxy::Socks5Handshake handshake{inbound_.users};
  for (;;) {
    inbox_.consume(handshake.on_bytes(inbox_.view()));
    if (!handshake.output().empty()) {
      VG_CO_TRY_VOID(co_await client_.write_all(handshake.output()));
      handshake.clear_output();
    }
    if (handshake.failed()) co_return fail(handshake.error());
    if (handshake.done()) co_return handshake.request();
    VG_CO_TRY(read, co_await inbox_.fill(client_, gateway_limits::handshake_read_bytes));
    if (read == 0) co_return fail(Errc::end_of_stream);
  }
}

asio::awaitable<void> GatewayConnection::connect(Target target) {
  auto upstream = co_await context_.open(plan_, inbound_, std::move(target));
  if (!upstream) {
    co_await reply(proxy::socks5_reply(upstream.error().code));
    co_await farewell();
    co_return;
  }
  auto bound = (*upstream)->local();
  co_await reply(proxy::Socks5Reply::succeeded, std::move(bound));
  co_await relay(*std::move(upstream));
}

asio::awaitable<void> GatewayConnection::reply(proxy::Socks5Reply code, std::optional<Target> bound) {
  ByteArray<3 + wire::socks_address_bytes_max> memory;
  wire::Writer writer{memory};
  proxy::write_socks5_reply(writer, code, bound);
  (void)co_await say(writer.written());  // a client that is gone shows in what follows
}

asio::awaitable<void> GatewayConnection::turn_away(gateway_metrics::Refusal reason, proxy::Socks5Reply code) {
  gateway_metrics::refuse(reason);
  co_await reply(code);
  co_await farewell();
}

asio::awaitable<void> GatewayConnection::associate(const proxy::Socks5Request& request) {
  using gateway_metrics::Refusal;
  const auto* tcp = dynamic_cast<const net::TcpStream*>(accepted_.stream.get());
  const auto local = tcp != nullptr ? tcp->local_endpoint() : std::nullopt;
  if (!inbound_.udp_on || !local || !accepted_.peer) {
    co_await turn_away(Refusal::udp_off, proxy::Socks5Reply::command_not_supported);
    co_return;
  }
  if (inbound_.udp == OutboundKind::block) {
    co_await turn_away(Refusal::blocked, proxy::Socks5Reply::not_allowed);
    co_return;
  }
  const auto seat = Seat::of_association(context_, plan_->options().udp_associations_max);
  if (!seat) {
    co_await turn_away(Refusal::associations_full, proxy::Socks5Reply::general_failure);
    co_return;
  }
  UdpAssociation association{context_, plan_, inbound_, *accepted_.peer, request.target.port};
  const auto bound = association.open(*local);
  if (!bound) {
    co_await turn_away(Refusal::other, proxy::Socks5Reply::general_failure);
    co_return;
  }
  std::optional<Target> address = net::to_target(*bound);
  co_await reply(proxy::Socks5Reply::succeeded, std::move(address));
  co_await association.run(client_);
}

// ------------------------------------------------------------------ SOCKS4

asio::awaitable<void> GatewayConnection::run_socks4(Instant deadline) {
  auto target = co_await net::with_deadline(context_.core, negotiate_socks4(), deadline);
  if (!target) {
    count_refusal(target.error().code);
    if (target.error().code == Errc::timed_out) co_return;
    const auto refusal = proxy::socks4_reply(false);
    (void)co_await say(refusal);
    co_await farewell();
    co_return;
  }
  gateway_metrics::socks4_requests.add();
  auto upstream = co_await context_.open(plan_, inbound_, *std::move(target));
  const auto answer = proxy::socks4_reply(upstream.has_value());
  (void)co_await say(answer);
  if (!upstream) {
    co_await farewell();
    co_return;
  }
  co_await relay(*std::move(upstream));
}

Task<Target> GatewayConnection::negotiate_socks4() {
  if (!inbound_.users.empty()) co_return fail(Errc::auth_failed);  // SOCKS4 knows no passwords
  for (;;) {
    auto request = proxy::parse_socks4_request(inbox_.view());
    if (request) {
      inbox_.consume(request->bytes);
      co_return std::move(request->target);
    }
    if (request.error().code != Errc::truncated) co_return request.error();
    VG_CO_TRY(read, co_await inbox_.fill(client_, gateway_limits::handshake_read_bytes));
    if (read == 0) co_return fail(Errc::end_of_stream);
  }
}

// ------------------------------------------------------------------ HTTP

asio::awaitable<void> GatewayConnection::run_http(Instant deadline) {
  net::StreamPtr tunnel;
  bool farewell_due = false;
  {
    HttpConnection http{context_, plan_, inbound_, client_, inbox_};
    co_await http.run(deadline);
    tunnel = http.take_tunnel();
    farewell_due = http.farewell_due();
  }
  if (tunnel) {
    co_await relay(std::move(tunnel));
  } else if (farewell_due) {
    co_await farewell();
  }
}

// ------------------------------------------------------------------ common

Task<void> GatewayConnection::say(ByteView text) {
  const auto deadline = net::after(context_.core, gateway_limits::reply_time_max);
  auto said = co_await net::with_deadline(context_.core, client_.write_all(text), deadline);
  co_return said;
}

asio::awaitable<void> GatewayConnection::relay(net::StreamPtr upstream) {
  auto& core = context_.core;
  if (!inbox_.empty()) {
    const auto early = inbox_.view().size();
    const auto deadline = plan_->idle_deadline(core.clock().now());
    const auto sent = co_await net::with_deadline(core, upstream->write_all(inbox_.view()), deadline);
    if (!sent) co_return;
    inbox_.consume(early);
    gateway_metrics::bytes_up.add(early);
  }
  inbox_.release();
  net::RelayLimits limits;
  limits.idle = plan_->options().idle_timeout;
  if (limits.idle > Duration{0}) limits.half_closed_idle = std::min(limits.idle, limits.half_closed_idle);
  const auto statistics = co_await net::relay(core, client_, *upstream, limits);
  gateway_metrics::bytes_up.add(statistics.bytes_a_to_b);
  gateway_metrics::bytes_down.add(statistics.bytes_b_to_a);
  VG_LOG(debug, "proxy", "relay_ended inbound={} reason={} up={} down={}", inbound_.name,
         name(statistics.end), statistics.bytes_a_to_b, statistics.bytes_b_to_a);
}

namespace {

Task<void> read_to_end(net::Stream& stream) {
  ByteArray<1'024> dropped;
  for (std::size_t total = 0; total < gateway_limits::farewell_bytes_max;) {
    VG_CO_TRY(read, co_await stream.read_some(dropped));
    if (read == 0) break;
    total += read;
  }
  co_return ok();
}

}  // namespace

asio::awaitable<void> GatewayConnection::farewell() {
  const auto ended = co_await client_.shutdown_write();
  if (!ended) co_return;
  const auto deadline = net::after(context_.core, gateway_limits::farewell_time_max);
  (void)co_await net::with_deadline(context_.core, read_to_end(client_), deadline);
}

}  // namespace village::service
