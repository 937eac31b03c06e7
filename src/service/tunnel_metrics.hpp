#pragma once
// What the tunnel counts. One object for each line of /metrics; names and reasons are the operator's
// vocabulary.
#include "village/base/error.hpp"
#include "village/base/metrics.hpp"
#include "village/htx/types.hpp"

namespace village::service::tunnel_metrics {

extern metrics::Gauge sessions_in, sessions_out;  ///< sessions that are up
extern metrics::Gauge handshakes_pending;         ///< accepted connections that are not yet a session
extern metrics::Counter handshakes_in_ok, handshakes_out_ok;
extern metrics::Histogram handshake_in_seconds, handshake_out_seconds;
extern metrics::Gauge streams_in, streams_out;  ///< streams that are open
extern metrics::Counter streams_in_total, streams_out_total;
extern metrics::Counter streams_reset_in, streams_reset_out;
extern metrics::Counter wire_bytes_in, wire_bytes_out, data_bytes_in, data_bytes_out;
extern metrics::Counter padding_bytes_in, padding_bytes_out;
extern metrics::Counter frames_in, frames_out, frames_ignored, frames_idle;
extern metrics::Counter streams_refused;  ///< by the session, before anybody served them
extern metrics::Counter datagrams_in, datagrams_out;
extern metrics::Gauge udp_associations;               ///< of peers, at the exit
extern metrics::Counter udp_bytes_in, udp_bytes_out;  ///< of those, payload from and to the world
extern metrics::Counter key_updates_in, key_updates_out, rekeys;
extern metrics::Counter reconnects;     ///< dials of a peer after one that failed or a lost session
extern metrics::Gauge dials_waiting;    ///< streams that wait for a session
extern metrics::Histogram rtt_seconds;  ///< each PING's round trip

/// Why an inbound connection did not become a session.
enum class Refusal {
  sessions_full,
  handshakes_full,
  draining,
  tls,
  timed_out,
  malformed,
  auth_failed,
  version,
  not_allowed,
  suite_not_allowed,
  hung_up,
  other,
  count
};
void refuse(Refusal reason);
/// refusal_of names the reason of a failed handshake.
Refusal refusal_of(Error error);
/// dial_failed counts an attempt to reach a peer that failed, by its error.
void dial_failed(Error error);

/// stream_reset counts a stream that was given up, by the code that was told.
void stream_reset(htx::Code code);

/// Why a datagram went nowhere.
enum class DatagramDrop {
  queue,           ///< the session's bound
  no_association,  ///< for a stream that carries none
  malformed,
  denied,  ///< by the exit's policy
  name,
  names_full,
  socket,
  full,  ///< of the socket, or of the stream on the way back
  count
};
void drop(DatagramDrop reason, std::uint64_t packets = 1);

/// What became of a stream that a peer opened.
enum class Outcome {
  connected,
  refused,
  denied,
  unreachable,
  timed_out,
  unsupported,
  malformed,
  busy,
  failed,
  count
};
void stream_served(Outcome outcome);
Outcome outcome_of(Error error);

/// Why a session ended.
enum class Ending { idle, drained, peer_closed, lost, protocol, removed, count };
void session_ended(Ending ending);

}  // namespace village::service::tunnel_metrics
