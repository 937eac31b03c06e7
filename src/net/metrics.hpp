#pragma once
// The metrics of net, in one place.
#include "village/base/error.hpp"
#include "village/base/metrics.hpp"

namespace village::net::metric {

using metrics::Counter;
using metrics::Gauge;

extern Counter connections_accepted, connections_refused, accept_no_descriptors, accept_errors;
extern Gauge connections_current;
extern Counter child_exceptions, loop_exceptions;
extern Gauge relays_current;
extern Counter relay_copied_bytes, relay_spliced_bytes, relay_small_buffers;
extern Counter dns_local, dns_cached, dns_found, dns_not_found, dns_failed, dns_timed_out, dns_busy;
extern Counter udp_datagrams_in, udp_datagrams_out, udp_dropped_long, udp_dropped_refused;
extern Counter tls_handshakes, tls_handshakes_failed;

/// count_dial counts the end of one dial; nullopt-like success is code 0.
void count_dial_success();
void count_dial_failure(Errc code);

}  // namespace village::net::metric
