#include "service/decoy_metrics.hpp"

#include <iterator>

namespace village::service::decoy_metrics {

using metrics::Counter;

namespace {
constexpr auto decoyed_help = "Connections to TLS listeners that were treated as a web server's, by reason.";
constexpr auto refused_help = "Strangers' connections closed because of a limit.";

Counter decoyed_cells[] = {
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"not_tls\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"http2\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"old_tls\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"not_http\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"not_upgrade\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"no_ticket\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"bad_ticket\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"too_long\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"pipelined\""},
    {"villaged_htx_decoyed_total", decoyed_help, "reason=\"silent\""},
};
static_assert(std::size(decoyed_cells) == static_cast<std::size_t>(Stranger::count));
}  // namespace

metrics::Gauge splices{"villaged_htx_decoy_connections", "Strangers' connections that are open."};
Counter ways_in{"villaged_htx_ways_in_total", "WebSocket upgrades with a good ticket, answered with 101."};
Counter refused_full{"villaged_htx_decoy_refused_total", refused_help, "reason=\"full\""};
Counter refused_share{"villaged_htx_decoy_refused_total", refused_help, "reason=\"share\""};
Counter origin_down{"villaged_htx_decoy_origin_down_total",
                    "Strangers' connections closed because the decoy's origin did not answer."};
Counter ended_by_limit{"villaged_htx_decoy_timed_out_total",
                       "Strangers' connections that this node ended, not the origin."};
Counter turns_waited{"villaged_htx_turns_waited_total",
                     "Steps of TLS handshakes of ways in and strangers that waited for their turn."};
Counter silent_ends{"villaged_htx_silent_ends_total",
                    "Ways in whose Noise handshake failed and that were left to wait."};

void decoyed(Stranger reason) { decoyed_cells[static_cast<std::size_t>(reason)].add(); }

}  // namespace village::service::decoy_metrics
