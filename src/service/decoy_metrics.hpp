#pragma once
// What the decoy counts.
#include "village/base/metrics.hpp"

namespace village::service::decoy_metrics {

/// Why a connection to a listener with tickets was taken for a stranger's.
enum class Stranger : std::uint8_t {
  not_tls,      ///< the first byte is not TLS
  http2,        ///< it chose h2
  old_tls,      ///< below TLS 1.3
  not_http,     ///< not the request line of a way in
  not_upgrade,  ///< a request, but not that of a way in
  no_ticket,
  bad_ticket,  ///< the ticket desk counts why
  too_long,
  pipelined,
  silent,  ///< ended before it could be judged
  count
};

extern metrics::Gauge splices;           ///< strangers' connections that are open
extern metrics::Counter ways_in;         ///< upgrades that were answered with 101
extern metrics::Counter refused_full;    ///< strangers turned away: no place left
extern metrics::Counter refused_share;   ///< the same: their network has its share
extern metrics::Counter origin_down;     ///< strangers whose origin did not answer
extern metrics::Counter ended_by_limit;  ///< strangers whose connection met our own hard end
extern metrics::Counter turns_waited;    ///< steps of TLS handshakes that waited for their turn
extern metrics::Counter silent_ends;     ///< after a 101: no valid handshake, left to wait

void decoyed(Stranger reason);

}  // namespace village::service::decoy_metrics
