#pragma once
// Target: where a stream shall go, as a user or a peer names it: an address or a name, and a port.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"

namespace village {

using Ipv4Address = ByteArray<4>;   ///< network order
using Ipv6Address = ByteArray<16>;  ///< network order

/// DomainName is 1..255 bytes of text without control characters, blanks or NUL; not resolved, not
/// lower-cased.
class DomainName {
 public:
  static Result<DomainName> parse(std::string_view text);
  const std::string& text() const { return text_; }
  friend bool operator==(const DomainName&, const DomainName&) = default;

 private:
  explicit DomainName(std::string text) : text_{std::move(text)} {}
  std::string text_;
};

using Host = std::variant<Ipv4Address, Ipv6Address, DomainName>;

/// parse_host reads "192.0.2.1", "2001:db8::1" (brackets allowed) or a name.
Result<Host> parse_host(std::string_view text);
/// to_text writes it back; IPv6 without brackets.
std::string to_text(const Host& host);

struct Target {
  Host host;
  std::uint16_t port = 0;
  friend bool operator==(const Target&, const Target&) = default;
};

/// parse_target reads "host:port" and "[v6]:port". Port 1..65535 (0 too when `allow_zero_port`).
Result<Target> parse_target(std::string_view text, bool allow_zero_port = false);
std::string to_text(const Target& target);

/// is_public tells whether the address is one of the global internet: not loopback, link-local, private,
/// unique-local, multicast, unspecified, documentation, carrier NAT, nor an IPv4 address of those mapped into
/// IPv6. Sources: RFC 6890 and its registries.
bool is_public(const Ipv4Address& address);
bool is_public(const Ipv6Address& address);
bool is_loopback(const Ipv4Address& address);
bool is_loopback(const Ipv6Address& address);

}  // namespace village
