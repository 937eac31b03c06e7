#pragma once
// GatewayPlan: options made ready for use. Immutable; a connection keeps the one it began with across a
// reload.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/error.hpp"
#include "village/proxy/credentials.hpp"
#include "village/proxy/route.hpp"
#include "village/service/gateway_options.hpp"

namespace village::service {

class GatewayPlan {
 public:
  /// Inbound is what a connection needs to know of the port it came in by.
  struct Inbound {
    std::string name;
    proxy::Credentials users;
    /// udp is what UDP ASSOCIATE gets: not `block` when some datagram may leave.
    OutboundKind udp = OutboundKind::direct;
    bool udp_on = true;
  };

  /// Errors: bad_argument (detail = index of the route), not_found (a name of an outbound that is not there).
  static Result<std::shared_ptr<const GatewayPlan>> make(std::shared_ptr<const GatewayOptions> options);

  const GatewayOptions& options() const { return *options_; }
  /// idle_deadline is when something that moved last at `last` is given up.
  Instant idle_deadline(Instant last) const {
    return options_->idle_timeout > Duration{0} ? last + options_->idle_timeout : Instant::max();
  }
  /// inbound is nullptr when there is none with that name.
  const Inbound* inbound(std::string_view name) const;
  /// route gives the way out of the first route that matches, else the default.
  const GatewayOutbound& route(std::string_view inbound, Network network, const Target& target) const;

 private:
  GatewayPlan(std::shared_ptr<const GatewayOptions> options, proxy::RouteTable table)
      : options_{std::move(options)}, table_{std::move(table)} {}
  const GatewayOutbound* outbound(std::string_view name) const;
  OutboundKind udp_of(const std::string& inbound) const;

  std::shared_ptr<const GatewayOptions> options_;
  proxy::RouteTable table_;
  std::vector<const GatewayOutbound*> outbounds_;  // by route
  const GatewayOutbound* default_ = nullptr;
  std::map<std::string, Inbound, std::less<>> inbounds_;
};

}  // namespace village::service
