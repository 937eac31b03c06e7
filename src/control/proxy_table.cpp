// The section `proxy`.
#include "control/config_table.hpp"
#include "control/scalar_shapes.hpp"

namespace village::control {
namespace {

using service::GatewayInbound;
using service::GatewayOptions;
using service::GatewayOutbound;
using service::GatewayRoute;
using service::GatewayUser;
using service::Network;
using service::OutboundKind;

Shape<GatewayUser> user_entry() {
  constexpr std::size_t credential_bytes_max = 255;  // RFC 1929
  return object<GatewayUser>({
      field({.name = "name",
             .reload = Reload::new_sessions,
             .required = true,
             .doc = "What the program gives as its user"},
            &GatewayUser::name, text("a user name", 1, credential_bytes_max)),
      field({.name = "password",
             .reload = Reload::new_sessions,
             .required = true,
             .secret = true,
             .doc = "What it gives as its password"},
            &GatewayUser::password, text("a password", 1, credential_bytes_max)),
  });
}

Shape<GatewayInbound> inbound_entry() {
  return object<GatewayInbound>({
      field({.name = "name", .required = true, .doc = "Your word for this port, unique; routes use it"},
            &GatewayInbound::name, label()),
      field({.name = "listen",
             .required = true,
             .doc = "IP address and port; SOCKS5 and HTTP proxy requests are told apart"},
            &GatewayInbound::listen, address(true)),
      field({.name = "users",
             .reload = Reload::new_sessions,
             .doc = "Who may use it; none = everybody who reaches the port"},
            &GatewayInbound::users, list(user_entry(), 0, 4'096)),
      field(
          {.name = "udp", .reload = Reload::new_sessions, .doc = "Whether SOCKS5 UDP ASSOCIATE is answered"},
          &GatewayInbound::udp, boolean()),
  });
}

Shape<GatewayOutbound> outbound_entry() {
  return object<GatewayOutbound>({
      field({.name = "name",
             .reload = Reload::new_sessions,
             .required = true,
             .doc = "Your word for this way out, unique"},
            &GatewayOutbound::name, label()),
      field({.name = "kind",
             .reload = Reload::new_sessions,
             .required = true,
             .doc = "\"direct\" = from here, \"htx\" = through a peer, \"block\" = refuse"},
            &GatewayOutbound::kind,
            choice<OutboundKind>({{"direct", OutboundKind::direct},
                                  {"htx", OutboundKind::htx},
                                  {"block", OutboundKind::block}})),
      field({.name = "peer",
             .reload = Reload::new_sessions,
             .doc = "With kind \"htx\": the name of an entry of htx.peers"},
            &GatewayOutbound::peer, optional_label()),
  });
}

Shape<GatewayRoute> route_entry() {
  constexpr auto later = Reload::new_sessions;
  return object<GatewayRoute>({
      field({.name = "inbounds", .reload = later, .doc = "Names of inbounds"}, &GatewayRoute::inbounds,
            list(label())),
      field({.name = "domains", .reload = later, .doc = "Whole names"}, &GatewayRoute::domains,
            list(domain())),
      field({.name = "domain_suffixes", .reload = later, .doc = "Names and all their subdomains"},
            &GatewayRoute::domain_suffixes, list(domain())),
      field({.name = "domain_keywords", .reload = later, .doc = "Parts of names"},
            &GatewayRoute::domain_keywords, list(domain())),
      field({.name = "ranges",
             .reload = later,
             .doc = "Address blocks; they match targets given as addresses, because names are resolved at "
                    "the exit"},
            &GatewayRoute::ranges, list(address_range())),
      field({.name = "ports", .reload = later, .doc = "Ports and ranges of ports"}, &GatewayRoute::ports,
            list(port_range())),
      field({.name = "network", .reload = later, .doc = "\"tcp\" or \"udp\"; null = both"},
            &GatewayRoute::network,
            nullable(choice<Network>({{"tcp", Network::tcp}, {"udp", Network::udp}}))),
      field({.name = "outbound",
             .reload = later,
             .required = true,
             .doc = "Where a match goes: the name of an outbound, \"direct\", \"block\", or the name of a "
                    "peer with an address"},
            &GatewayRoute::outbound, label()),
  });
}

}  // namespace

Shape<GatewayOptions> proxy_section() {
  constexpr auto later = Reload::new_sessions;
  return object<GatewayOptions>({
      field({.name = "inbounds", .doc = "Proxy ports for programs of this machine"},
            &GatewayOptions::inbounds, list(inbound_entry(), 0, 64)),
      field(
          {.name = "outbounds",
           .reload = later,
           .doc =
               "Ways out besides \"direct\", \"block\" and the peers, which are there under their own names"},
          &GatewayOptions::outbounds, list(outbound_entry())),
      field({.name = "routes",
             .reload = later,
             .doc = "The first route that matches decides; it matches when each of its lists that is not "
                    "empty does (domains and "
                    "ranges count as one list)"},
            &GatewayOptions::routes, list(route_entry())),
      field({.name = "default", .reload = later, .doc = "Where everything goes that no route matches"},
            &GatewayOptions::default_outbound, label()),
      field({.name = "handshake_timeout", .reload = later, .doc = "Time for a program to say what it wants"},
            &GatewayOptions::handshake_timeout, duration(1s, 2min)),
      field({.name = "dial_timeout", .reload = later, .doc = "Time for a target to answer"},
            &GatewayOptions::dial_timeout, duration(1s, 2min)),
      field({.name = "idle_timeout",
             .reload = later,
             .doc = "A connection that moves nothing for so long is closed"},
            &GatewayOptions::idle_timeout, duration(1s, 24h)),
      field({.name = "connections_max", .reload = later, .doc = "Connections of programs, on all cores"},
            &GatewayOptions::connections_max, whole<std::uint32_t>(1, 1'000'000)),
      field({.name = "udp_associations_max",
             .reload = later,
             .doc = "UDP associations of programs, on all cores"},
            &GatewayOptions::udp_associations_max, whole<std::uint32_t>(0, 100'000)),
  });
}

}  // namespace village::control
