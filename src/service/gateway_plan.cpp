#include "service/gateway_plan.hpp"

#include <algorithm>

#include "village/base/limits.hpp"
#include "village/service/gateway_limits.hpp"

namespace village::service {
namespace {

namespace bounds = gateway_limits;
const limits::Row rows[] = {
    {"service", "gateway_connections_max", GatewayOptions{}.connections_max, bounds::copy_bytes / 2,
     "clients of the proxy ports, all cores (configurable)"},
    {"service", "gateway_udp_associations_max", GatewayOptions{}.udp_associations_max, 4'096,
     "SOCKS5 UDP associations, all cores (configurable)"},
    {"service", "gateway_udp_scratch", limits::cores_max, 16 * 65'536 * 2,
     "batches of datagrams, one for each core"},
    {"service", "gateway_udp_names_pending_bytes_max", bounds::udp_names_pending_bytes_max, 1,
     "datagrams of one association that wait for a name"},
};
const bool declared [[maybe_unused]] = limits::declare(rows);

proxy::RouteRule rule_of(const GatewayRoute& route) {
  proxy::RouteRule rule;
  rule.inbounds = route.inbounds;
  rule.domains = route.domains;
  rule.suffixes = route.domain_suffixes;
  rule.keywords = route.domain_keywords;
  for (const auto& range : route.ranges) rule.blocks.push_back({range.address, range.bits});
  for (const auto& ports : route.ports) rule.ports.push_back({ports.first, ports.last});
  if (route.network)
    rule.network = *route.network == Network::tcp ? proxy::Network::tcp : proxy::Network::udp;
  return rule;
}

/// A route that takes every datagram it sees; those behind it see none.
bool takes_any_target(const GatewayRoute& route) {
  return route.domains.empty() && route.domain_suffixes.empty() && route.domain_keywords.empty() &&
         route.ranges.empty() && route.ports.empty();
}

}  // namespace

Result<std::shared_ptr<const GatewayPlan>> GatewayPlan::make(std::shared_ptr<const GatewayOptions> options) {
  std::vector<proxy::RouteRule> rules;
  for (const auto& route : options->routes) rules.push_back(rule_of(route));
  VG_TRY(table, proxy::RouteTable::compile(rules));
  std::shared_ptr<GatewayPlan> plan{new GatewayPlan{std::move(options), std::move(table)}};
  plan->default_ = plan->outbound(plan->options_->default_outbound);
  if (plan->default_ == nullptr) return fail(Errc::not_found);
  for (std::size_t i = 0; i < plan->options_->routes.size(); ++i) {
    const auto* outbound = plan->outbound(plan->options_->routes[i].outbound);
    if (outbound == nullptr) return fail(Errc::not_found, i);
    plan->outbounds_.push_back(outbound);
  }
  for (const auto& from : plan->options_->inbounds) {
    Inbound inbound;
    inbound.name = from.name;
    inbound.udp_on = from.udp;
    inbound.udp = plan->udp_of(from.name);
    for (const auto& user : from.users) inbound.users.add(user.name, user.password);
    plan->inbounds_.emplace(from.name, std::move(inbound));
  }
  return std::shared_ptr<const GatewayPlan>{std::move(plan)};
}

const GatewayPlan::Inbound* GatewayPlan::inbound(std::string_view name) const {
  const auto found = inbounds_.find(name);
  return found == inbounds_.end() ? nullptr : &found->second;
}

const GatewayOutbound& GatewayPlan::route(std::string_view inbound, Network network,
                                          const Target& target) const {
  const auto kind = network == Network::tcp ? proxy::Network::tcp : proxy::Network::udp;
  const auto rule = table_.match(inbound, kind, target);
  return rule ? *outbounds_[*rule] : *default_;
}

const GatewayOutbound* GatewayPlan::outbound(std::string_view name) const {
  const auto& all = options_->outbounds;
  const auto found =
      std::find_if(all.begin(), all.end(), [name](const auto& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// UDP ASSOCIATE names no target, so the answer depends on what routes could do with a datagram of this
// inbound.
OutboundKind GatewayPlan::udp_of(const std::string& inbound) const {
  OutboundKind last = default_->kind;
  for (std::size_t i = 0; i < options_->routes.size(); ++i) {
    const auto& route = options_->routes[i];
    if (route.network == Network::tcp) continue;
    const auto& names = route.inbounds;
    if (!names.empty() && std::find(names.begin(), names.end(), inbound) == names.end()) continue;
    if (outbounds_[i]->kind != OutboundKind::block) return outbounds_[i]->kind;
    if (!takes_any_target(route)) continue;
    last = outbounds_[i]->kind;
    break;
  }
  return last;
}

}  // namespace village::service
