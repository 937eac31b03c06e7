#include "service/tunnel_exit.hpp"

#include <utility>

#include "service/stream_status.hpp"
#include "service/tunnel_metrics.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"
#include "village/net/relay.hpp"
#include "village/service/tunnel_limits.hpp"
#include "village/wire/socks_address.hpp"

namespace village::service {

using tunnel_metrics::Outcome;

namespace {

constexpr auto unknown_service = Errc::unsupported;
constexpr auto unknown_address_type = Errc::not_canonical;

// Reads `u8 service | ATYP ADDR PORT`. A service other than tcp is refused as soon as its byte is there.
Result<Target> parse_header(ByteView in, std::size_t& used) {
  wire::Reader reader{in};
  VG_TRY(service, reader.u8());
  if (static_cast<htx::Service>(service) != htx::Service::tcp) return fail(unknown_service, service);
  auto target = wire::read_target(reader);
  if (!target) return target.error().code == Errc::unsupported ? fail(unknown_address_type) : target.error();
  used = reader.position();
  return target;
}

net::Task<Target> read_header(std::shared_ptr<TunnelStream> stream) {
  for (;;) {
    std::size_t used = 0;
    const auto known = stream->buffered();
    auto target = parse_header(known, used);
    if (target) {
      stream->skip(used);
      co_return std::move(*target);
    }
    if (target.error().code != Errc::truncated) co_return target.error();
    if (const auto error = stream->error()) co_return *error;
    if (stream->finished() || known.size() > limits::tunnel_header_bytes_max) co_return fail(Errc::malformed);
    const auto more = co_await stream->wait_more(known.size());
    if (!more) co_return more.error();
  }
}

void refuse(TunnelStream& stream, Error error) {
  VG_LOG(debug, "htx", "stream refused id={} reason={}", stream.id(), name(error.code));
  tunnel_metrics::stream_served(tunnel_metrics::outcome_of(error));
  switch (error.code) {
    case unknown_service:
      return stream.refuse(stream_status::unsupported, htx::Code::unsupported_feature);
    case unknown_address_type:
      return stream.refuse(stream_status::bad_address_type, htx::Code::unsupported_feature);
    case Errc::malformed:
      return stream.refuse(status_of(error), htx::Code::malformed_frame);
    default:
      return stream.refuse(status_of(error), htx::Code::ok);
  }
}

}  // namespace

boost::asio::awaitable<void> serve_stream(TunnelContext& context, std::shared_ptr<TunnelStream> stream,
                                          bool may_exit) {
  const auto options = context.options;
  auto& core = context.core;
  auto target =
      co_await net::with_deadline(core, read_header(stream), net::after(core, options->handshake_timeout));
  if (!target) {
    refuse(*stream, target.error());
    co_return;
  }
  if (!may_exit || !options->exit.enabled) {
    refuse(*stream, Error{Errc::denied});
    co_return;
  }
  auto dialed = co_await context.exit.dial(std::move(*target), net::after(core, options->dial_timeout));
  if (!dialed) {
    refuse(*stream, dialed.error());
    co_return;
  }
  if (!stream->say(ByteView{&stream_status::connected, 1})) co_return;
  tunnel_metrics::stream_served(Outcome::connected);
  net::RelayLimits relay_limits;
  relay_limits.idle = limits::tunnel_stream_idle_max;
  relay_limits.half_closed_idle = limits::tunnel_half_closed_max;
  const net::StreamPtr outside = std::move(*dialed);
  (void)co_await net::relay(core, *stream, *outside, relay_limits);
}

}  // namespace village::service
