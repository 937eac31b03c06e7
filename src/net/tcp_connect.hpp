#pragma once
// One TCP connection attempt to one address.
#include <memory>
#include <optional>

#include "village/net/tcp.hpp"

namespace village::net {

/// apply_tcp_options sets what a connected socket shall have; what the system refuses is left as it is.
void apply_tcp_options(int fd, const TcpOptions& options);

/// tcp_connect_one connects to one address, from `source` if given. No deadline of its own.
Task<std::unique_ptr<TcpStream>> tcp_connect_one(Core& core, Endpoint endpoint, TcpOptions options,
                                                 std::optional<Ip> source);

}  // namespace village::net
