#include "service/tunnel_metrics.hpp"

#include <array>
#include <cstddef>

#include "village/base/check.hpp"

namespace village::service::tunnel_metrics {

using metrics::Counter;
using metrics::Gauge;
using metrics::Histogram;

namespace {
constexpr auto sessions_help = "HTX sessions that are up.";
constexpr auto handshakes_help = "HTX handshakes by direction and result.";
constexpr auto handshake_time_help = "Time from the accepted or opened connection to the HTX session.";
constexpr auto streams_help = "HTX streams that are open, by who opened them.";
constexpr auto streams_total_help = "HTX streams opened, by who opened them.";
constexpr auto resets_help = "HTX streams given up, by who gave them up.";
constexpr auto wire_help = "Bytes of HTX frames on the wire, after handshakes.";
constexpr auto data_help = "Payload bytes of HTX streams.";
constexpr auto frames_help = "HTX frames.";
constexpr auto padding_help = "Bytes of HTX PADDING frames, part of the bytes on the wire.";
constexpr auto key_updates_help = "HTX key updates.";
constexpr auto served_help = "Streams opened by peers, by what became of them.";
constexpr auto ended_help = "HTX sessions that ended, by reason.";
}  // namespace

Gauge sessions_in{"villaged_htx_sessions", sessions_help, "direction=\"in\""};
Gauge sessions_out{"villaged_htx_sessions", sessions_help, "direction=\"out\""};
Gauge handshakes_pending{"villaged_htx_handshakes_pending",
                         "Accepted connections whose handshake is not finished."};
Counter handshakes_in_ok{"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"ok\""};
Counter handshakes_out_ok{"villaged_htx_handshakes_total", handshakes_help,
                          "direction=\"out\",result=\"ok\""};
Histogram handshake_in_seconds{"villaged_htx_handshake_seconds", handshake_time_help, "direction=\"in\""};
Histogram handshake_out_seconds{"villaged_htx_handshake_seconds", handshake_time_help, "direction=\"out\""};
Gauge streams_in{"villaged_htx_streams", streams_help, "direction=\"in\""};
Gauge streams_out{"villaged_htx_streams", streams_help, "direction=\"out\""};
Counter streams_in_total{"villaged_htx_streams_opened_total", streams_total_help, "direction=\"in\""};
Counter streams_out_total{"villaged_htx_streams_opened_total", streams_total_help, "direction=\"out\""};
Counter streams_reset_in{"villaged_htx_streams_reset_total", resets_help, "direction=\"in\""};
Counter streams_reset_out{"villaged_htx_streams_reset_total", resets_help, "direction=\"out\""};
Counter wire_bytes_in{"villaged_htx_wire_bytes_total", wire_help, "direction=\"in\""};
Counter wire_bytes_out{"villaged_htx_wire_bytes_total", wire_help, "direction=\"out\""};
Counter data_bytes_in{"villaged_htx_data_bytes_total", data_help, "direction=\"in\""};
Counter data_bytes_out{"villaged_htx_data_bytes_total", data_help, "direction=\"out\""};
Counter frames_in{"villaged_htx_frames_total", frames_help, "direction=\"in\""};
Counter frames_out{"villaged_htx_frames_total", frames_help, "direction=\"out\""};
Counter frames_ignored{"villaged_htx_frames_ignored_total", "Frames of unknown types or for closed streams."};
Counter padding_bytes_in{"villaged_htx_padding_bytes_total", padding_help, "direction=\"in\""};
Counter padding_bytes_out{"villaged_htx_padding_bytes_total", padding_help, "direction=\"out\""};
Counter key_updates_in{"villaged_htx_key_updates_total", key_updates_help, "direction=\"in\""};
Counter key_updates_out{"villaged_htx_key_updates_total", key_updates_help, "direction=\"out\""};
Counter reconnects{"villaged_htx_reconnects_total", "Dials of a peer after a failed one or a lost session."};
Gauge dials_waiting{"villaged_htx_dials_waiting", "Streams that wait for a session to their peer."};
Histogram rtt_seconds{"villaged_htx_rtt_seconds", "Round trips measured by PING."};

namespace {

Counter refused_cells[] = {
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"sessions_full\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"handshakes_full\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"draining\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"tls\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"timed_out\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"malformed\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"auth_failed\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"version\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"not_allowed\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"suite_not_allowed\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"hung_up\""},
    {"villaged_htx_handshakes_total", handshakes_help, "direction=\"in\",result=\"other\""},
};
static_assert(std::size(refused_cells) == static_cast<std::size_t>(Refusal::count));

Counter dial_refused{"villaged_htx_handshakes_total", handshakes_help,
                     "direction=\"out\",result=\"refused\""};
Counter dial_unreachable{"villaged_htx_handshakes_total", handshakes_help,
                         "direction=\"out\",result=\"unreachable\""};
Counter dial_timed_out{"villaged_htx_handshakes_total", handshakes_help,
                       "direction=\"out\",result=\"timed_out\""};
Counter dial_certificate{"villaged_htx_handshakes_total", handshakes_help,
                         "direction=\"out\",result=\"bad_certificate\""};
Counter dial_auth{"villaged_htx_handshakes_total", handshakes_help,
                  "direction=\"out\",result=\"auth_failed\""};
Counter dial_other{"villaged_htx_handshakes_total", handshakes_help, "direction=\"out\",result=\"other\""};

Counter served_cells[] = {
    {"villaged_htx_streams_served_total", served_help, "result=\"connected\""},
    {"villaged_htx_streams_served_total", served_help, "result=\"refused\""},
    {"villaged_htx_streams_served_total", served_help, "result=\"denied\""},
    {"villaged_htx_streams_served_total", served_help, "result=\"unreachable\""},
    {"villaged_htx_streams_served_total", served_help, "result=\"timed_out\""},
    {"villaged_htx_streams_served_total", served_help, "result=\"unsupported\""},
    {"villaged_htx_streams_served_total", served_help, "result=\"malformed\""},
    {"villaged_htx_streams_served_total", served_help, "result=\"busy\""},
    {"villaged_htx_streams_served_total", served_help, "result=\"failed\""},
};
static_assert(std::size(served_cells) == static_cast<std::size_t>(Outcome::count));

Counter ended_cells[] = {
    {"villaged_htx_sessions_ended_total", ended_help, "reason=\"idle\""},
    {"villaged_htx_sessions_ended_total", ended_help, "reason=\"drained\""},
    {"villaged_htx_sessions_ended_total", ended_help, "reason=\"peer_closed\""},
    {"villaged_htx_sessions_ended_total", ended_help, "reason=\"lost\""},
    {"villaged_htx_sessions_ended_total", ended_help, "reason=\"protocol\""},
    {"villaged_htx_sessions_ended_total", ended_help, "reason=\"removed\""},
};
static_assert(std::size(ended_cells) == static_cast<std::size_t>(Ending::count));

}  // namespace

void refuse(Refusal reason) { refused_cells[static_cast<std::size_t>(reason)].add(); }

Refusal refusal_of(Error error) {
  switch (error.code) {
    case Errc::timed_out:
      return Refusal::timed_out;
    case Errc::malformed:
    case Errc::limit_exceeded:
    case Errc::protocol:
      return Refusal::malformed;
    case Errc::auth_failed:
    case Errc::bad_tag:
    case Errc::bad_key:
      return Refusal::auth_failed;
    case Errc::version:
    case Errc::unsupported:
      return Refusal::version;
    case Errc::end_of_stream:
    case Errc::reset:
    case Errc::io:
      return Refusal::hung_up;
    default:
      return Refusal::other;
  }
}

void dial_failed(Error error) {
  switch (error.code) {
    case Errc::refused:
      return dial_refused.add();
    case Errc::net_unreachable:
    case Errc::host_unreachable:
    case Errc::name_not_found:
    case Errc::name_failed:
      return dial_unreachable.add();
    case Errc::timed_out:
      return dial_timed_out.add();
    case Errc::bad_certificate:
      return dial_certificate.add();
    case Errc::auth_failed:
      return dial_auth.add();
    default:
      return dial_other.add();
  }
}

void stream_served(Outcome outcome) { served_cells[static_cast<std::size_t>(outcome)].add(); }

Outcome outcome_of(Error error) {
  switch (error.code) {
    case Errc::refused:
      return Outcome::refused;
    case Errc::denied:
      return Outcome::denied;
    case Errc::net_unreachable:
    case Errc::host_unreachable:
    case Errc::name_not_found:
    case Errc::name_failed:
      return Outcome::unreachable;
    case Errc::timed_out:
      return Outcome::timed_out;
    case Errc::unsupported:
      return Outcome::unsupported;
    case Errc::malformed:
    case Errc::end_of_stream:
      return Outcome::malformed;
    case Errc::busy:
      return Outcome::busy;
    default:
      return Outcome::failed;
  }
}

void session_ended(Ending ending) { ended_cells[static_cast<std::size_t>(ending)].add(); }

}  // namespace village::service::tunnel_metrics
