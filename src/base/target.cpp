#include "village/base/target.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace village {
namespace {

struct Range4 {
  std::uint32_t first;
  unsigned bits;
};
// RFC 6890 registry: everything that is not globally reachable.
constexpr Range4 special4[] = {
    {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
    {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
    {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4},  {0xf0000000, 4},
};

std::uint32_t number(const Ipv4Address& address) {
  std::uint32_t value = 0;
  for (const auto b : address) value = value << 8 | std::to_integer<std::uint32_t>(b);
  return value;
}

bool starts_with(const Ipv6Address& address, std::initializer_list<unsigned> prefix, unsigned bits) {
  unsigned i = 0;
  for (const auto want : prefix) {
    const unsigned left = bits - 8 * i;
    const unsigned mask = left >= 8 ? 0xffU : (0xff00U >> left) & 0xffU;
    if ((std::to_integer<unsigned>(address[i]) & mask) != (want & mask)) return false;
    ++i;
  }
  return true;
}

Ipv4Address tail4(const Ipv6Address& address, std::size_t at) {
  Ipv4Address out;
  std::copy_n(address.begin() + static_cast<std::ptrdiff_t>(at), 4, out.begin());
  return out;
}

}  // namespace

Result<DomainName> DomainName::parse(std::string_view text) {
  if (text.empty() || text.size() > 255) return fail(Errc::limit_exceeded, text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c <= ' ' || c == 0x7f || std::strchr("/\\@:?#[]\"<>", c) != nullptr) return fail(Errc::malformed, i);
  }
  return DomainName{std::string{text}};
}

Result<Host> parse_host(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (text.size() > 255) return fail(Errc::limit_exceeded, text.size());
  const std::string copy{text};
  Ipv4Address v4;
  if (inet_pton(AF_INET, copy.c_str(), v4.data()) == 1) return Host{v4};
  Ipv6Address v6;
  if (inet_pton(AF_INET6, copy.c_str(), v6.data()) == 1) return Host{v6};
  VG_TRY(name, DomainName::parse(text));
  return Host{std::move(name)};
}

std::string to_text(const Host& host) {
  char text[INET6_ADDRSTRLEN];
  if (const auto* v4 = std::get_if<Ipv4Address>(&host))
    return inet_ntop(AF_INET, v4->data(), text, sizeof text);
  if (const auto* v6 = std::get_if<Ipv6Address>(&host))
    return inet_ntop(AF_INET6, v6->data(), text, sizeof text);
  return std::get<DomainName>(host).text();
}

Result<Target> parse_target(std::string_view text, bool allow_zero_port) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return fail(Errc::malformed, text.size());
  const auto host_text = text.substr(0, colon);
  const bool bracketed = host_text.front() == '[' && host_text.back() == ']';
  if (!bracketed && host_text.find(':') != std::string_view::npos) return fail(Errc::malformed, colon);
  const auto port_text = text.substr(colon + 1);
  unsigned port = 0;
  const auto [end, problem] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (problem != std::errc{} || end != port_text.data() + port_text.size() || port > 65535 ||
      (port == 0 && !allow_zero_port)) {
    return fail(Errc::malformed, colon + 1);
  }
  VG_TRY(host, parse_host(host_text));
  if (bracketed && !std::holds_alternative<Ipv6Address>(host)) return fail(Errc::malformed, 0);
  return Target{std::move(host), static_cast<std::uint16_t>(port)};
}

std::string to_text(const Target& target) {
  const auto host = to_text(target.host);
  const auto port = std::to_string(target.port);
  return std::holds_alternative<Ipv6Address>(target.host) ? "[" + host + "]:" + port : host + ":" + port;
}

bool is_public(const Ipv4Address& address) {
  const auto value = number(address);
  return std::none_of(std::begin(special4), std::end(special4), [value](const Range4& range) {
    return (value ^ range.first) >> (32 - range.bits) == 0;
  });
}

bool is_public(const Ipv6Address& address) {
  if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96))
    return is_public(tail4(address, 12));
  if (starts_with(address, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, 96))
    return is_public(tail4(address, 12));
  if (starts_with(address, {0x20, 0x02}, 16)) return is_public(tail4(address, 2));  // 6to4
  if (starts_with(address, {0x20, 0x01, 0x0d, 0xb8}, 32)) return false;             // documentation
  if (starts_with(address, {0x3f, 0xff, 0x00}, 20)) return false;                   // documentation, RFC 9637
  if (starts_with(address, {0x20, 0x01, 0x00}, 23)) return false;                   // protocol assignments
  return starts_with(address, {0x20}, 3);                                           // global unicast 2000::/3
}

bool is_loopback(const Ipv4Address& address) { return std::to_integer<unsigned>(address[0]) == 127; }

bool is_loopback(const Ipv6Address& address) {
  if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96))
    return is_loopback(tail4(address, 12));
  Ipv6Address one{};
  one[15] = std::byte{1};
  return address == one;
}

}  // namespace village
