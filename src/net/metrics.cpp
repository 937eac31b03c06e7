#include "net/metrics.hpp"

#include "village/base/limits.hpp"
#include "village/net/limits.hpp"

namespace village::net {

// Here, because this file is always linked.
namespace {
namespace own = net::limits;
const village::limits::Row rows[] = {
    {"net", "connections_max", own::connections_max, 0, "accepted and alive, one listener, one core"},
    {"net", "listen_backlog", own::listen_backlog, 0, "connections the kernel keeps for us"},
    {"net", "dns_cache_entries", own::dns_cache_entries, 1'024, "names remembered, one core"},
    {"net", "dns_lookups_max", own::dns_lookups_max, 1'024, "questions under way, one core"},
    {"net", "dns_waiters_max", own::dns_waiters_max, 512, "callers waiting for them, one core"},
    {"net", "relay_buffers_max", own::relay_buffers_max, own::relay_buffer_bytes,
     "bytes between two streams, one core"},
    {"net", "relay_pipes_max", own::relay_pipes_max, own::relay_pipe_bytes,
     "bytes in splice pipes, one core"},
    {"net", "tls_batch_bytes", own::tls_batch_bytes, 1, "ciphertext gathered, one TLS stream"},
    {"net", "tls_read_bytes", own::tls_read_bytes, 1, "ciphertext read ahead, one TLS stream"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);
}  // namespace

namespace metric {

Counter connections_accepted{"villaged_net_connections_accepted_total", "Connections accepted."};
Counter connections_refused{"villaged_net_connections_refused_total",
                            "Connections closed at once because the listener's limit was reached."};
Gauge connections_current{"villaged_net_connections", "Accepted connections alive."};
Counter accept_no_descriptors{"villaged_net_accept_errors_total", "Accepts that failed.",
                              "reason=\"no_descriptors\""};
Counter accept_errors{"villaged_net_accept_errors_total", "Accepts that failed.", "reason=\"other\""};
Counter child_exceptions{"villaged_net_child_exceptions_total", "Exceptions that left a coroutine."};
Counter loop_exceptions{"villaged_net_loop_exceptions_total", "Exceptions that left a handler."};

Gauge relays_current{"villaged_net_relays", "Relays under way."};
Counter relay_copied_bytes{"villaged_net_relay_bytes_total", "Bytes relayed.", "path=\"copy\""};
Counter relay_spliced_bytes{"villaged_net_relay_bytes_total", "Bytes relayed.", "path=\"splice\""};
Counter relay_small_buffers{"villaged_net_relay_small_buffers_total",
                            "Reads that got a small buffer because all large ones were in use."};

#define VG_DNS(name, label) \
  Counter name { "villaged_net_dns_queries_total", "Name look-ups by result.", "result=\"" label "\"" }
VG_DNS(dns_local, "local");
VG_DNS(dns_cached, "cached");
VG_DNS(dns_found, "found");
VG_DNS(dns_not_found, "not_found");
VG_DNS(dns_failed, "failed");
VG_DNS(dns_timed_out, "timed_out");
VG_DNS(dns_busy, "busy");
#undef VG_DNS

Counter udp_datagrams_in{"villaged_net_udp_datagrams_total", "Datagrams moved.", "direction=\"in\""};
Counter udp_datagrams_out{"villaged_net_udp_datagrams_total", "Datagrams moved.", "direction=\"out\""};
Counter udp_dropped_long{"villaged_net_udp_dropped_total", "Datagrams dropped.",
                         "reason=\"longer_than_buffer\""};
Counter udp_dropped_refused{"villaged_net_udp_dropped_total", "Datagrams dropped.",
                            "reason=\"kernel_refused\""};
Counter tls_handshakes{"villaged_net_tls_handshakes_total", "TLS handshakes.", "result=\"done\""};
Counter tls_handshakes_failed{"villaged_net_tls_handshakes_total", "TLS handshakes.", "result=\"failed\""};

namespace {
#define VG_DIAL(name, label) \
  Counter name { "villaged_net_dials_total", "Dials by result.", "result=\"" label "\"" }
VG_DIAL(dial_connected, "connected");
VG_DIAL(dial_refused, "refused");
VG_DIAL(dial_unreachable, "unreachable");
VG_DIAL(dial_timed_out, "timed_out");
VG_DIAL(dial_name, "name");
VG_DIAL(dial_denied, "denied");
VG_DIAL(dial_cancelled, "cancelled");
VG_DIAL(dial_busy, "busy");
VG_DIAL(dial_other, "other");
#undef VG_DIAL
}  // namespace

void count_dial_success() { dial_connected.add(); }

void count_dial_failure(Errc code) {
  switch (code) {
    case Errc::refused:
    case Errc::reset:
      return dial_refused.add();
    case Errc::net_unreachable:
    case Errc::host_unreachable:
      return dial_unreachable.add();
    case Errc::timed_out:
      return dial_timed_out.add();
    case Errc::name_not_found:
    case Errc::name_failed:
      return dial_name.add();
    case Errc::denied:
      return dial_denied.add();
    case Errc::cancelled:
      return dial_cancelled.add();
    case Errc::busy:
      return dial_busy.add();
    default:
      return dial_other.add();
  }
}

}  // namespace metric
}  // namespace village::net
