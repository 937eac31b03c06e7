#pragma once
// Listener: one bound address with a socket for each core, and the accept loop.
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "village/net/address.hpp"
#include "village/net/core.hpp"
#include "village/net/limits.hpp"
#include "village/net/tcp.hpp"

namespace village::net {

struct ListenOptions {
  TcpOptions tcp;
  std::size_t connections_max =
      limits::connections_max;  ///< alive at once on each core; more are closed and counted
  std::size_t backlog = limits::listen_backlog;
};

/// Accepted is a new connection. peer is absent for Unix sockets.
struct Accepted {
  std::unique_ptr<SocketStream> stream;  ///< a TcpStream or a UnixStream
  std::optional<Endpoint> peer;
};

/// Listener accepts on all cores at once. Make it on any thread, then on each core run serve() as a child of
/// a nursery. A connection stays on the core that accepted it.
///
///   serve() runs --close()--> accepts no more, waits for its connections --cancelled--> cancels them, joins,
///   ends
class Listener {
 public:
  /// ConnectionHandler runs one connection; it ends when the coroutine does. It may be cancelled.
  using ConnectionHandler = std::function<asio::awaitable<void>(Core&, Accepted)>;

  /// bind_tcp binds one socket per core (SO_REUSEPORT), exclusively against other processes and listeners:
  /// the first socket is bound and listening without SO_REUSEPORT before the rest joins it. Port 0: the
  /// kernel picks one for all. IPv6 sockets take no IPv4. Errors: already_exists (address in use), denied,
  /// not_found (address not of this machine), busy.
  static Result<std::unique_ptr<Listener>> bind_tcp(const Endpoint& endpoint, std::size_t cores,
                                                    ListenOptions options = {});
  /// bind_unix binds `path` with exactly `mode` (0600, 0660). A stale socket file is replaced, a live one is
  /// already_exists. The file is removed by the destructor.
  static Result<std::unique_ptr<Listener>> bind_unix(const std::string& path, mode_t mode, std::size_t cores,
                                                     ListenOptions options = {});
  /// adopt takes over an inherited listening socket (socket activation), TCP or Unix: `fd` itself for the
  /// first core, duplicates for the others. Errors: bad_argument if it is not a listening stream socket.
  static Result<std::unique_ptr<Listener>> adopt(int fd, std::size_t cores, ListenOptions options = {});
  ~Listener();

  /// local is the bound address; absent for Unix sockets.
  std::optional<Endpoint> local() const;
  /// name is "127.0.0.1:1080" or the socket's path: for the line printed at start.
  const std::string& name() const;
  /// serve accepts on `core`'s socket until close() or cancellation, running `handler` for each connection,
  /// and returns when all of them have ended. Running out of descriptors or memory pauses accepting (10 ms to
  /// 1 s) and is counted. Once per core. The Listener's end is a close(); what serve() needs it shares.
  asio::awaitable<void> serve(Core& core, ConnectionHandler handler);
  /// close stops accepting on all cores and closes the listening sockets; connections go on. Any thread.
  void close();
  /// connections is the number alive now, all cores. Any thread.
  std::size_t connections() const;

 private:
  struct State;
  explicit Listener(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace village::net
