#include "service/tunnel_exit.hpp"

#include <utility>

#include "service/tunnel_metrics.hpp"
#include "service/tunnel_udp.hpp"
#include "village/base/log.hpp"
#include "village/htx/stream_header.hpp"
#include "village/net/deadline.hpp"
#include "village/net/relay.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {

using tunnel_metrics::Outcome;

namespace {

// How a stream is refused: what its opener hears, and the code of the reset that follows.
struct Refusal {
  Error error;
  htx::Status status;
  htx::Code code = htx::Code::ok;
};

void refuse(TunnelStream& stream, Refusal refusal) {
  VG_LOG(debug, "htx", "stream refused id={} reason={}", stream.id(), name(refusal.error.code));
  tunnel_metrics::stream_served(tunnel_metrics::outcome_of(refusal.error));
  stream.refuse(refusal.status, refusal.code);
}

Refusal refusal_of(Error error, std::optional<std::byte> service) {
  const bool tcp = service && static_cast<htx::Service>(*service) == htx::Service::tcp;
  if (error.code == Errc::unsupported) {
    const auto status = tcp ? htx::Status::address_type_not_supported : htx::Status::command_not_supported;
    return {error, status, htx::Code::unsupported_feature};
  }
  if (error.code == Errc::malformed) return {error, htx::Status::general_failure, htx::Code::malformed_frame};
  return {error, htx::Status::general_failure};
}

// Takes the header off the stream's front and leaves what follows.
net::Task<htx::StreamHeader> read_header(std::shared_ptr<TunnelStream> stream,
                                         std::optional<std::byte>& service, const TunnelContext& context) {
  htx::StreamHeaderParser parser;
  while (!parser.done()) {
    const auto more = co_await stream->wait_readable();
    if (!more) co_return more.error();
    const auto there = stream->buffered();
    if (there.empty()) co_return stream->error().value_or(Error{Errc::malformed});
    if (!service) service = there[0];
    const auto used = parser.receive(there);
    if (!used) co_return used.error();
    stream->skip(*used);
  }
  const auto asked = parser.header().service;
  const bool exits = asked == htx::Service::tcp || asked == htx::Service::udp;
  if (!exits && !context.services.contains(asked)) co_return fail(Errc::unsupported);
  co_return parser.header();
}

boost::asio::awaitable<void> serve_by(const StreamService& service, std::shared_ptr<TunnelStream> stream,
                                      crypto::Ed25519Public peer) {
  if (!service.admits(peer)) {
    refuse(*stream, {Error{Errc::denied}, htx::Status::not_allowed});
    co_return;
  }
  if (!stream->say_status(htx::Status::connected)) co_return;
  tunnel_metrics::stream_served(Outcome::connected);
  co_await service.serve(peer, stream);
}

}  // namespace

boost::asio::awaitable<void> serve_stream(TunnelContext& context, std::shared_ptr<TunnelStream> stream,
                                          StreamOrigin origin) {
  const auto options = context.options;
  auto& core = context.core;
  std::optional<std::byte> service;
  auto header = co_await net::with_deadline(core, read_header(stream, service, context),
                                            net::after(core, options->handshake_timeout));
  if (!header) {
    refuse(*stream, refusal_of(header.error(), service));
    co_return;
  }
  if (const auto own = context.services.find(header->service); own != context.services.end()) {
    co_await serve_by(own->second, stream, origin.peer);
    co_return;
  }
  if (!origin.may_exit || !options->exit.enabled) {
    refuse(*stream, {Error{Errc::denied}, htx::Status::not_allowed});
    co_return;
  }
  if (header->service == htx::Service::udp) {
    co_await serve_udp(context, stream, origin.peer);
    co_return;
  }
  auto dialed =
      co_await context.exit.dial(std::move(*header->target), net::after(core, options->dial_timeout));
  if (!dialed) {
    refuse(*stream, {dialed.error(), htx::status_of(dialed.error().code)});
    co_return;
  }
  if (!stream->say_status(htx::Status::connected)) co_return;
  tunnel_metrics::stream_served(Outcome::connected);
  net::RelayLimits relay_limits;
  relay_limits.idle = limits::tunnel_stream_idle_max;
  relay_limits.half_closed_idle = limits::tunnel_half_closed_max;
  const net::StreamPtr outside = std::move(*dialed);
  (void)co_await net::relay(core, *stream, *outside, relay_limits);
}

}  // namespace village::service
