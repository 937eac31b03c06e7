#pragma once
// Unix stream sockets: the local control API and agents.
#include <sys/types.h>

#include <optional>
#include <string>

#include "village/net/socket_stream.hpp"

namespace village::net {

/// PeerCredentials says who is at the other end of a Unix socket (SO_PEERCRED).
struct PeerCredentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

class UnixStream final : public SocketStream {
 public:
  UnixStream(Core& core, int fd) : SocketStream{core, fd} {}
  std::optional<PeerCredentials> peer() const;
};

/// unix_connect connects to the socket at `path` (at most 107 bytes). Errors: not_found, refused, denied,
/// bad_argument.
Task<std::unique_ptr<UnixStream>> unix_connect(Core& core, std::string path, Instant deadline);

}  // namespace village::net
