#pragma once
// GatewayContext: what all connections of one core's gateway share.
#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "service/gateway_metrics.hpp"
#include "service/gateway_plan.hpp"
#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/service/gateway.hpp"

namespace village::service {

class GatewayContext {
 public:
  GatewayContext(net::Core& of, net::Dialer& direct, Gateway::HtxDialers htx)
      : core{of}, direct_{direct}, htx_{std::move(htx)} {}

  /// open finds the way to `target` and opens it by the plan `of` the connection, within its dial_timeout;
  /// counts refusals and time. Errors as Dialer::dial; denied also when a route blocks, not_found when the
  /// outbound's peer is not there.
  net::Task<net::StreamPtr> open(std::shared_ptr<const GatewayPlan> of, const GatewayPlan::Inbound& inbound,
                                 Target target);
  /// peer is the dialer of a tunnel's peer; nullptr if it is not there.
  net::Dialer* peer(std::string_view name) const { return htx_(name); }

  net::Core& core;
  std::shared_ptr<const GatewayPlan> plan;  ///< for new connections
  bool draining = false;
  std::size_t connections = 0;
  std::size_t udp_associations = 0;
  std::unordered_set<net::Stream*> idle;  ///< clients that may come back with a request; closed by drain

 private:
  net::Dialer& direct_;
  Gateway::HtxDialers htx_;
};

/// Seat is a place under a limit over all cores. Empty if there was none left.
class Seat {
 public:
  static Seat of_connection(GatewayContext& context, std::uint32_t max);
  static Seat of_association(GatewayContext& context, std::uint32_t max);
  Seat(Seat&& other) noexcept
      : local_{std::exchange(other.local_, nullptr)}, all_{other.all_}, gauge_{other.gauge_} {}
  Seat& operator=(Seat&&) = delete;
  ~Seat();
  explicit operator bool() const { return local_ != nullptr; }

 private:
  Seat(std::size_t& local, std::atomic<std::uint32_t>& all, metrics::Gauge& gauge, std::uint32_t max);
  std::size_t* local_ = nullptr;
  std::atomic<std::uint32_t>* all_ = nullptr;
  metrics::Gauge* gauge_ = nullptr;
};

}  // namespace village::service
