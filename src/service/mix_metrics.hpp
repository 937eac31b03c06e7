#pragma once
// What the mixnet counts: villaged_mix_*.
#include "service/mix_core.hpp"
#include "village/base/metrics.hpp"

namespace village::service::mix_metrics {

/// add counts what happened on a core between two totals.
void add(const MixTotals& before, const MixTotals& after);

extern metrics::Counter loops_sent, loops_back, loops_lost;
extern metrics::Counter final_client, final_loop, final_drop, final_unknown, final_refused, final_crowded;
extern metrics::Counter up_packets, up_refused, down_records, deliveries;
extern metrics::Counter client_sent, client_delivered, client_failed, client_received;
extern metrics::Gauge sessions, mailbox_messages, epoch, directory_valid, loss_alarm, loss_ppm, nodes,
    clock_skew_ms;

/// set makes a gauge show `value`; one thread for each gauge.
void set(metrics::Gauge& gauge, std::int64_t value);

}  // namespace village::service::mix_metrics
