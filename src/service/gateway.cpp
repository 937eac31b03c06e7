#include "village/service/gateway.hpp"

#include <stdexcept>

#include "service/gateway_connection.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/net/nursery.hpp"

namespace village::service {

namespace asio = boost::asio;
using gateway_metrics::Refusal;

struct Gateway::State {
  State(net::Core& core, net::Dialer& direct, HtxDialers htx)
      : context{core, direct, std::move(htx)}, listening{core} {}

  asio::awaitable<void> accepted(std::shared_ptr<const std::string> inbound_name, net::Accepted accepted);

  GatewayContext context;
  std::vector<std::weak_ptr<net::Listener>> listeners;
  net::Nursery listening;  // one child for each listener, which holds its connections
};

asio::awaitable<void> Gateway::State::accepted(std::shared_ptr<const std::string> inbound_name,
                                               net::Accepted accepted) {
  const auto plan = context.plan;
  const auto* inbound = plan->inbound(*inbound_name);
  if (inbound == nullptr) {
    gateway_metrics::refuse(Refusal::no_inbound);
    co_return;
  }
  const auto seat = Seat::of_connection(context, plan->options().connections_max);
  if (!seat) {
    gateway_metrics::refuse(Refusal::connections_full);
    co_return;
  }
  GatewayConnection connection{context, plan, *inbound, std::move(accepted)};
  co_await connection.run();
}

Result<void> Gateway::check(const GatewayOptions& options) {
  VG_TRY_VOID(GatewayPlan::make(std::make_shared<GatewayOptions>(options)));
  return ok();
}

Gateway::Gateway(net::Core& core, std::shared_ptr<const GatewayOptions> options, net::Dialer& direct,
                 HtxDialers htx)
    : state_{std::make_unique<State>(core, direct, std::move(htx))} {
  auto plan = GatewayPlan::make(std::move(options));
  if (!plan) throw std::invalid_argument{"gateway options: a route or outbound that check() refuses"};
  state_->context.plan = *std::move(plan);
}

Gateway::~Gateway() = default;

void Gateway::serve(std::shared_ptr<net::Listener> listener, std::string name) {
  VG_CHECK(!state_->context.draining);
  std::erase_if(state_->listeners, [](const auto& weak) { return weak.expired(); });
  state_->listeners.push_back(listener);
  const auto inbound_name = std::make_shared<const std::string>(std::move(name));
  auto* state = state_.get();
  state->listening.spawn([state, inbound_name, kept = std::move(listener)] {
    return kept->serve(state->context.core, [state, inbound_name](net::Core&, net::Accepted accepted) {
      return state->accepted(inbound_name, std::move(accepted));
    });
  });
}

void Gateway::reload(std::shared_ptr<const GatewayOptions> options) {
  auto plan = GatewayPlan::make(std::move(options));
  if (!plan) {
    VG_LOG(error, "proxy", "reload_ignored reason={} route={}", village::name(plan.error().code),
           plan.error().detail);
    return;
  }
  state_->context.plan = *std::move(plan);
}

net::Task<void> Gateway::drain(Instant deadline) {
  auto& context = state_->context;
  context.draining = true;
  for (const auto& weak : state_->listeners) {
    if (const auto listener = weak.lock()) listener->close();
  }
  for (auto* client : context.idle) client->close();
  const auto cancelled = co_await state_->listening.drain(deadline);
  if (cancelled > 0) VG_LOG(debug, "proxy", "drain_cut_short core={}", context.core.index());
  co_return ok();
}

GatewayStatus Gateway::status() const {
  return {state_->context.connections, state_->context.udp_associations};
}

}  // namespace village::service
