#pragma once
// What the gateway counts; all names begin with villaged_proxy_.
#include "village/base/error.hpp"
#include "village/base/metrics.hpp"
#include "village/service/gateway_options.hpp"

namespace village::service::gateway_metrics {

extern metrics::Gauge connections;  ///< clients connected
extern metrics::Counter socks5_requests, socks4_requests, connect_requests, http_requests, udp_requests;
extern metrics::Counter upstreams_reused;  ///< plain HTTP requests on a connection that was there already
extern metrics::Counter bytes_up, bytes_down;
extern metrics::Gauge udp_associations;
extern metrics::Counter udp_packets_up, udp_packets_down, udp_bytes_up, udp_bytes_down;

/// Why a client was turned away.
enum class Refusal {
  connections_full,
  associations_full,
  no_inbound,  ///< the inbound left the configuration
  handshake_timeout,
  hung_up,  ///< the client went away before it said what it wants
  malformed,
  auth_failed,
  unsupported,  ///< command, address type, method
  udp_off,      ///< UDP where the inbound or the way out has none
  blocked,      ///< by a route to `block`
  no_peer,      ///< the outbound's peer is not there
  target_refused,
  target_unreachable,
  target_name,
  target_denied,  ///< by the exit's policy
  target_timeout,
  target_busy,
  upstream_protocol,  ///< the origin's answer was no HTTP
  other,
  count
};
void refuse(Refusal reason);
Refusal refusal_of_handshake(Errc code);
Refusal refusal_of_dial(Errc code);

/// dialled records how long a dial took, whether it succeeded or not.
void dialled(OutboundKind kind, Duration took);

/// Why a datagram went nowhere.
enum class Drop {
  source,
  fragment,
  malformed,
  outbound,
  name,
  names_full,
  socket,
  full,
  tunnel,
  tunnel_full,
  count
};
void drop(Drop reason, std::uint64_t packets = 1);

}  // namespace village::service::gateway_metrics
