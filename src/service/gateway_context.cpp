#include "service/gateway_context.hpp"

#include "village/base/log.hpp"
#include "village/net/deadline.hpp"

namespace village::service {
namespace {

// The two numbers that cores share: one atomic addition for each connection, none for each byte.
std::atomic<std::uint32_t> connections_of_all_cores{0};
std::atomic<std::uint32_t> associations_of_all_cores{0};

}  // namespace

Seat::Seat(std::size_t& local, std::atomic<std::uint32_t>& all, metrics::Gauge& gauge, std::uint32_t max)
    : all_{&all}, gauge_{&gauge} {
  if (all.fetch_add(1, std::memory_order_relaxed) >= max) {
    all.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  local_ = &local;
  ++*local_;
  gauge.add();
}

Seat::~Seat() {
  if (local_ == nullptr) return;
  --*local_;
  gauge_->sub();
  all_->fetch_sub(1, std::memory_order_relaxed);
}

Seat Seat::of_connection(GatewayContext& context, std::uint32_t max) {
  return {context.connections, connections_of_all_cores, gateway_metrics::connections, max};
}

Seat Seat::of_association(GatewayContext& context, std::uint32_t max) {
  return {context.udp_associations, associations_of_all_cores, gateway_metrics::udp_associations, max};
}

net::Task<net::StreamPtr> GatewayContext::open(std::shared_ptr<const GatewayPlan> of,
                                               const GatewayPlan::Inbound& inbound, Target target) {
  using gateway_metrics::Refusal;
  const auto& outbound = of->route(inbound.name, Network::tcp, target);
  if (outbound.kind == OutboundKind::block) {
    gateway_metrics::refuse(Refusal::blocked);
    co_return fail(Errc::denied);
  }
  net::Dialer* dialer = outbound.kind == OutboundKind::htx ? htx_(outbound.peer) : &direct_;
  if (dialer == nullptr) {
    gateway_metrics::refuse(Refusal::no_peer);
    co_return fail(Errc::not_found);
  }
  const auto started = core.clock().now();
  auto stream = co_await dialer->dial(std::move(target), started + of->options().dial_timeout);
  gateway_metrics::dialled(outbound.kind, core.clock().now() - started);
  if (!stream) {
    gateway_metrics::refuse(gateway_metrics::refusal_of_dial(stream.error().code));
    VG_LOG(debug, "proxy", "dial_failed inbound={} outbound={} reason={}", inbound.name, outbound.name,
           name(stream.error().code));
  }
  co_return stream;
}

}  // namespace village::service
