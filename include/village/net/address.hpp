#pragma once
// Ip and Endpoint: numeric addresses as the system gives and takes them.
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "village/base/target.hpp"

namespace village::net {

/// Ip is a numeric address, network order. An IPv4 address mapped into IPv6 stays IPv6 (unmapped() gives the
/// other form).
using Ip = std::variant<Ipv4Address, Ipv6Address>;

/// Endpoint is a numeric address and a port; scope is the interface index of a link-local IPv6 address, else
/// 0.
struct Endpoint {
  Ip ip;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// loopback gives 127.0.0.1 or ::1 with that port.
Endpoint loopback_v4(std::uint16_t port = 0);
Endpoint loopback_v6(std::uint16_t port = 0);

/// parse_endpoint reads "192.0.2.1:80" or "[::1]:80"; port 0 is allowed; a name is `bad_argument`.
Result<Endpoint> parse_endpoint(std::string_view text);
std::string to_text(const Ip& ip);
std::string to_text(const Endpoint& endpoint);  ///< IPv6 in brackets
Target to_target(const Endpoint& endpoint);

bool is_v4(const Ip& ip);
bool is_loopback(const Ip& ip);
/// is_public: see base/target.hpp. An IPv4 address mapped into IPv6 is judged by the IPv4 address.
bool is_public(const Ip& ip);
/// unmapped turns ::ffff:a.b.c.d into a.b.c.d and leaves everything else.
Ip unmapped(const Ip& ip);

}  // namespace village::net
