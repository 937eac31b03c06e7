#pragma once
// Path -> sockaddr_un.
#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string>

namespace village::net {

struct UnixAddress {
  sockaddr_un name{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};
/// unix_address is nullopt if the path is empty or longer than 107 bytes.
std::optional<UnixAddress> unix_address(const std::string& path);

}  // namespace village::net
