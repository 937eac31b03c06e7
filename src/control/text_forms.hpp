#pragma once
// How durations, sizes, address blocks and ports are written in the configuration.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "village/base/target.hpp"
#include "village/base/time.hpp"
#include "village/service/gateway_options.hpp"

namespace village::control {

/// parse_duration reads a whole number and ns, us, ms, s, m, h or d: "500ms", "2m"; "0" needs no unit.
std::optional<Duration> parse_duration(std::string_view text);
/// duration_text writes the largest unit that divides; parse_duration reads it back.
std::string duration_text(Duration value);

/// parse_size reads a whole number of bytes with B, KiB, MiB, GiB, TiB or nothing behind it.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string size_text(std::uint64_t bytes);

/// parse_range reads a CIDR block "192.0.2.0/24", "2001:db8::/32" or a single address. Bits behind the prefix
/// must be 0.
std::optional<service::AddressRange> parse_range(std::string_view text);
std::string range_text(const service::AddressRange& range);

/// parse_ports reads "443" or "8000-8999".
std::optional<service::PortRange> parse_ports(std::string_view text);

/// is_label tells whether `text` is a name of ours: [a-z0-9-]{1,63}.
bool is_label(std::string_view text);

/// is_loopback tells whether a target is a literal loopback address.
bool is_loopback(const Target& target);

}  // namespace village::control
