#pragma once
// TCP: the stream and the dialer.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "village/net/address.hpp"
#include "village/net/dialer.hpp"
#include "village/net/limits.hpp"
#include "village/net/socket_stream.hpp"

namespace village::net {

/// TcpOptions are set on every TCP connection, dialled or accepted. TCP_NODELAY always is.
struct TcpOptions {
  std::string congestion =
      "auto";  ///< TCP_CONGESTION; auto = cubic when both ends are loopback, else the system's
  Duration keepalive = std::chrono::seconds{60};  ///< idle time before probes, whole seconds; 0 = off
  Duration user_timeout{0};                       ///< TCP_USER_TIMEOUT, 0 = system default
};

class TcpStream final : public SocketStream {
 public:
  /// Takes ownership of a connected TCP descriptor and applies the options (a refused option is ignored).
  TcpStream(Core& core, int fd, const TcpOptions& options = {});

  int native_tcp() const override { return native(); }
  std::optional<Target> local() const override;
  std::optional<Endpoint> local_endpoint() const;
  std::optional<Endpoint> peer() const;
  /// congestion is the algorithm in use; empty if closed.
  std::string congestion() const;
};

struct TcpDialerOptions {
  TcpOptions tcp;
  /// allow judges each address about to be dialled, after resolution (decisions: the private-address rule).
  /// Empty = all.
  std::function<bool(const Ip&)> allow;
  Duration stagger = limits::connect_stagger;  ///< before the next address is tried beside the last
  std::optional<Ip> source;                    ///< local address to dial from
};

/// TcpDialer resolves and connects on its core by RFC 8305 (Happy Eyeballs): addresses in turn, families
/// alternating, the next one 250 ms after the last or at once when the last failed; the first that connects
/// wins, the others are cancelled. Errors as in Dialer; `denied` when the policy left no address; else the
/// error of the first address.
class TcpDialer final : public Dialer {
 public:
  explicit TcpDialer(Core& core, TcpDialerOptions options = {});
  Task<StreamPtr> dial(Target target, Instant deadline) override;
  /// connect does the same and keeps the type.
  Task<std::unique_ptr<TcpStream>> connect(Target target, Instant deadline);

 private:
  Core& core_;
  TcpDialerOptions options_;
};

}  // namespace village::net
