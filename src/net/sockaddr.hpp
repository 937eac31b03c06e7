#pragma once
// Endpoint <-> sockaddr.
#include <sys/socket.h>

#include <optional>

#include "village/net/address.hpp"

namespace village::net {

/// SocketAddress is a sockaddr of either family with its length.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// write_address writes `endpoint` at `out` and returns its length.
socklen_t write_address(const Endpoint& endpoint, sockaddr_storage& out);
SocketAddress to_address(const Endpoint& endpoint);
/// from_address reads an IPv4 or IPv6 address; nullopt for other families.
std::optional<Endpoint> from_address(const sockaddr* address, socklen_t size);
int family_of(const Endpoint& endpoint);
std::optional<Endpoint> socket_local(int fd);
std::optional<Endpoint> socket_peer(int fd);
/// set_option sets an int option; false if refused.
bool set_option(int fd, int level, int name, int value);
/// option reads an int option, -1 if refused.
int option(int fd, int level, int name);

}  // namespace village::net
