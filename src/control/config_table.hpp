#pragma once
// The table of the configuration: what every section holds. See shape.hpp for what is made of it.
#include "control/shape.hpp"
#include "village/control/config.hpp"

namespace village::control {

/// default_config is what an empty configuration means, before paths are completed.
Config default_config();

/// config_shape is the whole configuration.
const Shape<Config>& config_shape();

// Sections; config_table.cpp, htx_table.cpp, ticket_table.cpp, proxy_table.cpp, mix_table.cpp.
Shape<service::TunnelOptions> htx_section();
Shape<service::TicketOptions> tickets_section();
Shape<service::GatewayOptions> proxy_section();
Shape<service::MixOptions> mix_section();

}  // namespace village::control
