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
constexpr auto reset_codes_help = "HTX streams given up, by the code that was told.";
constexpr auto datagrams_help = "DATAGRAM frames of open streams.";
constexpr auto datagram_drops_help = "Datagrams of HTX streams that went nowhere, by reason.";
constexpr auto udp_help = "Payload of peers' UDP associations that this exit carried from and to the world.";
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
Counter frames_idle{"villaged_htx_frames_idle_total",
                    "Frames of peers that carried nothing: PING, credit, padding."};
Counter streams_refused{"villaged_htx_streams_refused_total",
                        "Streams of peers beyond a limit of the session."};
Counter datagrams_in{"villaged_htx_datagrams_total", datagrams_help, "direction=\"in\""};
Counter datagrams_out{"villaged_htx_datagrams_total", datagrams_help, "direction=\"out\""};
Gauge udp_associations{"villaged_htx_udp_associations", "UDP associations of peers that leave from here."};
Counter udp_bytes_in{"villaged_htx_udp_bytes_total", udp_help, "direction=\"in\""};
Counter udp_bytes_out{"villaged_htx_udp_bytes_total", udp_help, "direction=\"out\""};
Counter key_updates_in{"villaged_htx_key_updates_total", key_updates_help, "direction=\"in\""};
Counter key_updates_out{"villaged_htx_key_updates_total", key_updates_help, "direction=\"out\""};
Counter rekeys{"villaged_htx_rekeys_total", "Hybrid re-handshakes of sessions that were completed."};
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

Counter reset_cells[] = {
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"ok\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"version_negotiation_failed\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"auth_failed\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"path_invalid\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"replay\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"flow_control_violation\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"old_key_frame\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"malformed_frame\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"internal_error\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"policy_rejected\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"unsupported_feature\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"deadline_missed\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"stalled\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"slow_reader\""},
    {"villaged_htx_stream_resets_total", reset_codes_help, "code=\"other\""},
};

Counter drop_cells[] = {
    {"villaged_htx_datagrams_dropped_total", datagram_drops_help, "reason=\"queue\""},
    {"villaged_htx_datagrams_dropped_total", datagram_drops_help, "reason=\"no_association\""},
    {"villaged_htx_datagrams_dropped_total", datagram_drops_help, "reason=\"malformed\""},
    {"villaged_htx_datagrams_dropped_total", datagram_drops_help, "reason=\"denied\""},
    {"villaged_htx_datagrams_dropped_total", datagram_drops_help, "reason=\"name\""},
    {"villaged_htx_datagrams_dropped_total", datagram_drops_help, "reason=\"names_full\""},
    {"villaged_htx_datagrams_dropped_total", datagram_drops_help, "reason=\"socket\""},
    {"villaged_htx_datagrams_dropped_total", datagram_drops_help, "reason=\"full\""},
};
static_assert(std::size(drop_cells) == static_cast<std::size_t>(DatagramDrop::count));

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

void stream_reset(htx::Code code) {
  constexpr auto other = std::size(reset_cells) - 1;
  const auto number = static_cast<std::size_t>(code);
  auto place = other;
  if (number <= static_cast<std::size_t>(htx::Code::unsupported_feature)) place = number;
  if (code == htx::Code::deadline_missed) place = other - 3;
  if (code == htx::Code::stalled) place = other - 2;
  if (code == htx::Code::slow_reader) place = other - 1;
  reset_cells[place].add();
}

void drop(DatagramDrop reason, std::uint64_t packets) {
  drop_cells[static_cast<std::size_t>(reason)].add(packets);
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
