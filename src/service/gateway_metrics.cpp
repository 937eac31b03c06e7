#include "service/gateway_metrics.hpp"

#include <array>
#include <cstddef>

namespace village::service::gateway_metrics {

using metrics::Counter;
using metrics::Gauge;
using metrics::Histogram;

Gauge connections{"villaged_proxy_connections", "Clients connected."};

namespace {
constexpr auto requests_name = "villaged_proxy_requests_total";
constexpr auto requests_help = "Requests of clients, by the protocol they came by.";
constexpr auto bytes_name = "villaged_proxy_bytes_total";
constexpr auto bytes_help = "Payload carried; up = from the client. Counted when a connection ends.";
constexpr auto packets_name = "villaged_proxy_udp_packets_total";
constexpr auto packets_help = "UDP datagrams carried; up = from the client.";
constexpr auto udp_bytes_name = "villaged_proxy_udp_bytes_total";
constexpr auto udp_bytes_help = "UDP payload carried; up = from the client.";
constexpr auto refused_name = "villaged_proxy_refused_total";
constexpr auto refused_help = "Clients and requests turned away, by reason.";
constexpr auto dial_name = "villaged_proxy_dial_seconds";
constexpr auto dial_help = "Time to open the way to a target, successful or not.";
constexpr auto dropped_name = "villaged_proxy_udp_dropped_total";
constexpr auto dropped_help = "UDP datagrams dropped, by reason.";

Counter refused(std::string_view labels) { return Counter{refused_name, refused_help, labels}; }
Counter dropped(std::string_view labels) { return Counter{dropped_name, dropped_help, labels}; }

std::array<Counter, static_cast<std::size_t>(Refusal::count)> refusals{
    refused("reason=\"connections_full\""),
    refused("reason=\"associations_full\""),
    refused("reason=\"no_inbound\""),
    refused("reason=\"handshake_timeout\""),
    refused("reason=\"hung_up\""),
    refused("reason=\"malformed\""),
    refused("reason=\"auth_failed\""),
    refused("reason=\"unsupported\""),
    refused("reason=\"udp_off\""),
    refused("reason=\"blocked\""),
    refused("reason=\"no_peer\""),
    refused("reason=\"target_refused\""),
    refused("reason=\"target_unreachable\""),
    refused("reason=\"target_name\""),
    refused("reason=\"target_denied\""),
    refused("reason=\"target_timeout\""),
    refused("reason=\"target_busy\""),
    refused("reason=\"upstream_protocol\""),
    refused("reason=\"other\""),
};

std::array<Counter, static_cast<std::size_t>(Drop::count)> drops{
    dropped("reason=\"source\""),      dropped("reason=\"fragment\""), dropped("reason=\"malformed\""),
    dropped("reason=\"outbound\""),    dropped("reason=\"name\""),     dropped("reason=\"names_full\""),
    dropped("reason=\"socket\""),      dropped("reason=\"full\""),     dropped("reason=\"tunnel\""),
    dropped("reason=\"tunnel_full\""),
};

Histogram dial_direct{dial_name, dial_help, "outbound=\"direct\""};
Histogram dial_htx{dial_name, dial_help, "outbound=\"htx\""};
}  // namespace

Counter socks5_requests{requests_name, requests_help, "protocol=\"socks5\""};
Counter socks4_requests{requests_name, requests_help, "protocol=\"socks4\""};
Counter connect_requests{requests_name, requests_help, "protocol=\"http_connect\""};
Counter http_requests{requests_name, requests_help, "protocol=\"http\""};
Counter udp_requests{requests_name, requests_help, "protocol=\"socks5_udp\""};
Counter upstreams_reused{"villaged_proxy_http_upstreams_reused_total",
                         "Plain HTTP requests sent on a connection kept."};
Counter bytes_up{bytes_name, bytes_help, "direction=\"up\""};
Counter bytes_down{bytes_name, bytes_help, "direction=\"down\""};
Gauge udp_associations{"villaged_proxy_udp_associations", "UDP associations open."};
Counter udp_packets_up{packets_name, packets_help, "direction=\"up\""};
Counter udp_packets_down{packets_name, packets_help, "direction=\"down\""};
Counter udp_bytes_up{udp_bytes_name, udp_bytes_help, "direction=\"up\""};
Counter udp_bytes_down{udp_bytes_name, udp_bytes_help, "direction=\"down\""};

void refuse(Refusal reason) { refusals[static_cast<std::size_t>(reason)].add(); }
void drop(Drop reason, std::uint64_t packets) { drops[static_cast<std::size_t>(reason)].add(packets); }

Refusal refusal_of_handshake(Errc code) {
  switch (code) {
    case Errc::timed_out:
      return Refusal::handshake_timeout;
    case Errc::end_of_stream:
    case Errc::reset:
    case Errc::closed:
    case Errc::cancelled:
      return Refusal::hung_up;
    case Errc::auth_failed:
      return Refusal::auth_failed;
    case Errc::unsupported:
      return Refusal::unsupported;
    default:
      return Refusal::malformed;
  }
}

Refusal refusal_of_dial(Errc code) {
  switch (code) {
    case Errc::refused:
      return Refusal::target_refused;
    case Errc::net_unreachable:
    case Errc::host_unreachable:
      return Refusal::target_unreachable;
    case Errc::name_not_found:
    case Errc::name_failed:
      return Refusal::target_name;
    case Errc::denied:
      return Refusal::target_denied;
    case Errc::timed_out:
      return Refusal::target_timeout;
    case Errc::busy:
      return Refusal::target_busy;
    case Errc::not_found:
      return Refusal::no_peer;
    default:
      return Refusal::other;
  }
}

void dialled(OutboundKind kind, Duration took) {
  auto& histogram = kind == OutboundKind::htx ? dial_htx : dial_direct;
  histogram.record_ns(took.count() < 0 ? 0 : static_cast<std::uint64_t>(took.count()));
}

}  // namespace village::service::gateway_metrics
