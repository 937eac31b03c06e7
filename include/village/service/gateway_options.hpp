#pragma once
// What the operator can say about the gateway (config section `proxy`). Values are parsed and checked by
// `control`.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "village/base/target.hpp"
#include "village/base/time.hpp"

namespace village::service {

struct GatewayUser {
  std::string name;
  std::string password;  ///< masked wherever configuration is shown
};

/// GatewayInbound is one mixed port: SOCKS5 and HTTP (CONNECT and plain) are told apart by the first byte.
struct GatewayInbound {
  std::string name;
  Target listen;                   ///< literal address; port 0 = any (tests)
  std::vector<GatewayUser> users;  ///< empty = no authentication
  bool udp = true;                 ///< SOCKS5 UDP ASSOCIATE
};

enum class OutboundKind : std::uint8_t { direct, htx, block };

struct GatewayOutbound {
  std::string name;
  OutboundKind kind = OutboundKind::direct;
  std::string peer;  ///< htx: name of a tunnel peer
};

enum class Network : std::uint8_t { tcp, udp };

/// AddressRange is a CIDR block; `address` holds 4 or 16 bytes.
struct AddressRange {
  std::vector<std::byte> address;
  unsigned bits = 0;
};
struct PortRange {
  std::uint16_t first = 0, last = 0;
};

/// GatewayRoute matches when every list that is not empty has a match (within a list any entry may match; the
/// three domain lists and `ranges` are one list together). First match wins.
struct GatewayRoute {
  std::vector<std::string> inbounds;
  std::vector<std::string> domains;          ///< exact, case-insensitive
  std::vector<std::string> domain_suffixes;  ///< "example.org" matches itself and every subdomain
  std::vector<std::string> domain_keywords;
  std::vector<AddressRange> ranges;  ///< matches literal addresses only: names are resolved at the exit
  std::vector<PortRange> ports;
  std::optional<Network> network;
  std::string outbound;
};

struct GatewayOptions {
  std::vector<GatewayInbound> inbounds;
  std::vector<GatewayOutbound> outbounds;  ///< always contains "direct" and "block"
  std::vector<GatewayRoute> routes;
  std::string default_outbound = "direct";
  Duration handshake_timeout = std::chrono::seconds{10};
  Duration dial_timeout = std::chrono::seconds{15};
  Duration idle_timeout = std::chrono::minutes{10};  ///< 0 = never
  std::uint32_t connections_max = 20'000;            ///< over all cores
  std::uint32_t udp_associations_max = 1'024;        ///< over all cores
};

}  // namespace village::service
