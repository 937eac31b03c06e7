#pragma once
// What the ticket desk counts.
#include "village/base/metrics.hpp"
#include "village/htx/ticket_gate.hpp"

namespace village::service::ticket_metrics {

extern metrics::Gauge replays;  ///< accepted tickets that are remembered

void judged(htx::TicketVerdict verdict);
/// judged_total reads the counter back.
std::uint64_t judged_total(htx::TicketVerdict verdict);

}  // namespace village::service::ticket_metrics
