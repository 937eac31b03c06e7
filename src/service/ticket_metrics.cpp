#include "service/ticket_metrics.hpp"

#include <iterator>

namespace village::service::ticket_metrics {

using metrics::Counter;

namespace {

constexpr auto tickets_help = "Access tickets shown to us, by verdict.";

// In the order of TicketVerdict.
Counter verdict_cells[] = {
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"accepted\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"malformed\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"unknown_key\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"no_pretag\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"replayed\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"rate_limited\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"low_order\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"wrong_tag\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"stale\""},
    {"villaged_htx_tickets_total", tickets_help, "verdict=\"full\""},
};
static_assert(std::size(verdict_cells) == static_cast<std::size_t>(htx::TicketVerdict::count));

}  // namespace

metrics::Gauge replays{"villaged_htx_ticket_replays", "Accepted tickets that are remembered."};

void judged(htx::TicketVerdict verdict) { verdict_cells[static_cast<std::size_t>(verdict)].add(); }

std::uint64_t judged_total(htx::TicketVerdict verdict) {
  return verdict_cells[static_cast<std::size_t>(verdict)].total();
}

}  // namespace village::service::ticket_metrics
