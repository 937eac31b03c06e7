#include "village/net/address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "net/sockaddr.hpp"

namespace village::net {

Endpoint loopback_v4(std::uint16_t port) {
  return {Ipv4Address{std::byte{127}, std::byte{0}, std::byte{0}, std::byte{1}}, port, 0};
}

Endpoint loopback_v6(std::uint16_t port) {
  Ipv6Address ip{};
  ip[15] = std::byte{1};
  return {ip, port, 0};
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  VG_TRY(target, parse_target(text, true));
  if (const auto* v4 = std::get_if<Ipv4Address>(&target.host)) return Endpoint{*v4, target.port, 0};
  if (const auto* v6 = std::get_if<Ipv6Address>(&target.host)) return Endpoint{*v6, target.port, 0};
  return fail(Errc::bad_argument);
}

namespace {
Host to_host(const Ip& ip) {
  return std::visit([](const auto& address) { return Host{address}; }, ip);
}
}  // namespace

std::string to_text(const Ip& ip) { return village::to_text(to_host(ip)); }
std::string to_text(const Endpoint& endpoint) { return village::to_text(to_target(endpoint)); }
Target to_target(const Endpoint& endpoint) { return {to_host(endpoint.ip), endpoint.port}; }

bool is_v4(const Ip& ip) { return std::holds_alternative<Ipv4Address>(ip); }
bool is_loopback(const Ip& ip) {
  return std::visit([](const auto& address) { return village::is_loopback(address); }, ip);
}
bool is_public(const Ip& ip) {
  return std::visit([](const auto& address) { return village::is_public(address); }, unmapped(ip));
}

Ip unmapped(const Ip& ip) {
  static constexpr ByteArray<12> prefix{std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                        std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                        std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
  const auto* v6 = std::get_if<Ipv6Address>(&ip);
  if (v6 == nullptr || !std::equal(prefix.begin(), prefix.end(), v6->begin())) return ip;
  Ipv4Address v4;
  std::copy(v6->begin() + 12, v6->end(), v4.begin());
  return v4;
}

socklen_t write_address(const Endpoint& endpoint, sockaddr_storage& out) {
  if (const auto* v4 = std::get_if<Ipv4Address>(&endpoint.ip)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, v4->data(), v4->size());
    std::memcpy(&out, &address, sizeof address);
    return sizeof address;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(endpoint.port);
  address.sin6_scope_id = endpoint.scope;
  const auto& v6 = std::get<Ipv6Address>(endpoint.ip);
  std::memcpy(&address.sin6_addr, v6.data(), v6.size());
  std::memcpy(&out, &address, sizeof address);
  return sizeof address;
}

SocketAddress to_address(const Endpoint& endpoint) {
  SocketAddress address;
  address.size = write_address(endpoint, address.storage);
  return address;
}

std::optional<Endpoint> from_address(const sockaddr* address, socklen_t size) {
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    Ipv4Address ip;
    std::memcpy(ip.data(), &in.sin_addr, ip.size());
    return Endpoint{ip, ntohs(in.sin_port), 0};
  }
  if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof in);
    Ipv6Address ip;
    std::memcpy(ip.data(), &in.sin6_addr, ip.size());
    return Endpoint{ip, ntohs(in.sin6_port), in.sin6_scope_id};
  }
  return std::nullopt;
}

int family_of(const Endpoint& endpoint) { return is_v4(endpoint.ip) ? AF_INET : AF_INET6; }

std::optional<Endpoint> socket_local(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getsockname(fd, address.get(), &address.size) != 0) return std::nullopt;
  return from_address(address.get(), address.size);
}

std::optional<Endpoint> socket_peer(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getpeername(fd, address.get(), &address.size) != 0) return std::nullopt;
  return from_address(address.get(), address.size);
}

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

}  // namespace village::net
