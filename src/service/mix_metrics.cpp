#include "service/mix_metrics.hpp"

#include <array>

namespace village::service::mix_metrics {
namespace {

using metrics::Counter;
using metrics::Gauge;

constexpr auto drop_name = "villaged_mix_dropped_packets_total";
constexpr auto drop_help = "Packets that a worker dropped, by reason.";
std::array<Counter, mix::drop_count> drops{{{drop_name, drop_help, "reason=\"length\""},
                                            {drop_name, drop_help, "reason=\"low_order\""},
                                            {drop_name, drop_help, "reason=\"mac\""},
                                            {drop_name, drop_help, "reason=\"replay\""},
                                            {drop_name, drop_help, "reason=\"flag\""},
                                            {drop_name, drop_help, "reason=\"version\""},
                                            {drop_name, drop_help, "reason=\"delay\""},
                                            {drop_name, drop_help, "reason=\"late\""},
                                            {drop_name, drop_help, "reason=\"rate\""},
                                            {drop_name, drop_help, "reason=\"ring\""},
                                            {drop_name, drop_help, "reason=\"route\""},
                                            {drop_name, drop_help, "reason=\"payload\""}}};

Counter received{"villaged_mix_packets_total", "Packets, by what became of them.", "what=\"received\""};
Counter forwarded{"villaged_mix_packets_total", "Packets, by what became of them.", "what=\"forwarded\""};
Counter delivered{"villaged_mix_packets_total", "Packets, by what became of them.", "what=\"delivered\""};
Counter abandoned{"villaged_mix_packets_total", "Packets, by what became of them.", "what=\"abandoned\""};
Counter injected{"villaged_mix_packets_total", "Packets, by what became of them.", "what=\"injected\""};
Counter injected_lost{"villaged_mix_injected_lost_total", "Own and clients' packets without a way out."};
Counter delays_zero{"villaged_mix_delays_total", "Delays that were not taken as asked for.", "what=\"zero\""};
Counter delays_clamped{"villaged_mix_delays_total", "Delays that were not taken as asked for.",
                       "what=\"clamped\""};
Counter batches{"villaged_mix_batches_total", "Batches of packets unwrapped."};
Counter replay_refused{"villaged_mix_replay_refused_total",
                       "Packets dropped because a key's memory of packets is full or its log failed."};
Counter strangers{"villaged_mix_streams_refused_total", "Streams of peers that are no neighbours."};
Counter frames_sent{"villaged_mix_link_frames_total", "Frames for next hops, by what became of them.",
                    "what=\"sent\""};
Counter frames_refused{"villaged_mix_link_frames_total", "Frames for next hops, by what became of them.",
                       "what=\"refused\""};
Counter frames_late{"villaged_mix_link_frames_total", "Frames for next hops, by what became of them.",
                    "what=\"late\""};
Counter frames_lost{"villaged_mix_link_frames_total", "Frames for next hops, by what became of them.",
                    "what=\"lost\""};
Gauge held{"villaged_mix_held_packets", "Packets in the delay queues."};
Gauge links_open{"villaged_mix_links_open", "Links to next hops that are open, on all cores."};

void move(Gauge& gauge, std::size_t before, std::size_t after) {
  gauge.add(static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before));
}

}  // namespace

Counter loops_sent{"villaged_mix_loops_total", "Own packets in a loop, by what became of them.",
                   "what=\"sent\""};
Counter loops_back{"villaged_mix_loops_total", "Own packets in a loop, by what became of them.",
                   "what=\"returned\""};
Counter loops_lost{"villaged_mix_loops_total", "Own packets in a loop, by what became of them.",
                   "what=\"lost\""};
Counter final_client{"villaged_mix_final_payloads_total", "Payloads whose last hop is here, by kind.",
                     "kind=\"client\""};
Counter final_loop{"villaged_mix_final_payloads_total", "Payloads whose last hop is here, by kind.",
                   "kind=\"loop\""};
Counter final_drop{"villaged_mix_final_payloads_total", "Payloads whose last hop is here, by kind.",
                   "kind=\"drop\""};
Counter final_unknown{"villaged_mix_final_payloads_total", "Payloads whose last hop is here, by kind.",
                      "kind=\"unknown\""};
Counter final_refused{"villaged_mix_final_payloads_total", "Payloads whose last hop is here, by kind.",
                      "kind=\"mailbox_full\""};
Counter final_crowded{"villaged_mix_final_payloads_total", "Payloads whose last hop is here, by kind.",
                      "kind=\"loops_crowded\""};
Counter up_packets{"villaged_mix_gateway_packets_total", "Packets of clients, by outcome.",
                   "outcome=\"taken\""};
Counter up_refused{"villaged_mix_gateway_packets_total", "Packets of clients, by outcome.",
                   "outcome=\"refused\""};
Counter down_records{"villaged_mix_gateway_records_total", "Records sent to clients, full or not."};
Counter deliveries{"villaged_mix_gateway_deliveries_total", "Messages handed to clients."};
Counter client_sent{"villaged_mix_client_messages_total", "Messages of this client, by what became of them.",
                    "what=\"sent\""};
Counter client_delivered{"villaged_mix_client_messages_total",
                         "Messages of this client, by what became of them.", "what=\"delivered\""};
Counter client_failed{"villaged_mix_client_messages_total",
                      "Messages of this client, by what became of them.", "what=\"failed\""};
Counter client_received{"villaged_mix_client_messages_total",
                        "Messages of this client, by what became of them.", "what=\"received\""};
Gauge sessions{"villaged_mix_gateway_sessions", "Clients connected."};
Gauge mailbox_messages{"villaged_mix_gateway_messages", "Messages kept for clients."};
Gauge epoch{"villaged_mix_epoch", "The epoch by our clock."};
Gauge directory_valid{"villaged_mix_directory_valid",
                      "1 while there is a valid document; else nothing is forwarded."};
Gauge loss_alarm{"villaged_mix_loss_alarm",
                 "1 while more own loops are missing than faults explain: perhaps an (n-1) attack."};
Gauge loss_ppm{"villaged_mix_loss_ratio", "Own loops missing of those judged lately.", {}, 1e-6};
Gauge clock_skew_ms{"villaged_mix_clock_skew_seconds",
                    "How far the authorities' clocks are ahead of ours (median).",
                    {},
                    1e-3};
Gauge nodes{"villaged_mix_nodes", "Nodes of the document in force."};

void set(metrics::Gauge& gauge, std::int64_t value) { gauge.add(value - gauge.value()); }

void add(const MixTotals& before, const MixTotals& after) {
  const auto& from = before.worker;
  const auto& to = after.worker;
  received.add(to.received - from.received);
  forwarded.add(to.forwarded - from.forwarded);
  delivered.add(to.delivered - from.delivered);
  abandoned.add(to.abandoned - from.abandoned);
  for (std::size_t i = 0; i < mix::drop_count; ++i)
    drops[i].add(to.drops.by_reason[i] - from.drops.by_reason[i]);
  delays_zero.add(to.delays_zero - from.delays_zero);
  delays_clamped.add(to.delays_clamped - from.delays_clamped);
  batches.add(to.batches - from.batches);
  replay_refused.add(to.replay_refused - from.replay_refused);
  injected.add(after.injected - before.injected);
  injected_lost.add(after.injected_lost - before.injected_lost);
  strangers.add(after.strangers - before.strangers);
  frames_sent.add(after.links.sent - before.links.sent);
  frames_refused.add(after.links.refused - before.links.refused);
  frames_late.add(after.links.late - before.links.late);
  frames_lost.add(after.links.lost - before.links.lost);
  move(held, before.held, after.held);
  move(links_open, before.links_open, after.links_open);
}

}  // namespace village::service::mix_metrics
