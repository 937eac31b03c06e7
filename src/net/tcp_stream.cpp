#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>

#include "net/sockaddr.hpp"
#include "net/tcp_connect.hpp"
#include "village/net/error_code.hpp"
#include "village/net/system.hpp"
#include "village/net/tcp.hpp"

namespace village::net {
namespace {

const std::string& system_congestion() {
  static const std::string name = default_congestion();
  return name;
}

bool both_loopback(int fd) {
  const auto local = socket_local(fd);
  const auto peer = socket_peer(fd);
  return local && peer && is_loopback(unmapped(local->ip)) && is_loopback(unmapped(peer->ip));
}

/// chosen_congestion is the algorithm to set; empty = leave the system's. On loopback bbr moves a third of
/// cubic's bytes.
std::string chosen_congestion(int fd, const std::string& wanted) {
  if (wanted != "auto") return wanted;
  if (system_congestion() == "cubic" || !both_loopback(fd)) return {};
  return "cubic";
}

}  // namespace

void apply_tcp_options(int fd, const TcpOptions& options) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  const auto idle = std::chrono::duration_cast<std::chrono::seconds>(options.keepalive).count();
  if (idle > 0) {
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(idle));
  }
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(options.user_timeout).count();
  if (timeout > 0) set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout));
  const auto algorithm = chosen_congestion(fd, options.congestion);
  if (!algorithm.empty()) (void)set_congestion(fd, algorithm);
}

TcpStream::TcpStream(Core& core, int fd, const TcpOptions& options) : SocketStream{core, fd} {
  apply_tcp_options(fd, options);
}

std::optional<Endpoint> TcpStream::local_endpoint() const {
  return is_open() ? socket_local(native()) : std::nullopt;
}
std::optional<Endpoint> TcpStream::peer() const { return is_open() ? socket_peer(native()) : std::nullopt; }

std::optional<Target> TcpStream::local() const {
  const auto endpoint = local_endpoint();
  if (!endpoint) return std::nullopt;
  return to_target(*endpoint);
}

std::string TcpStream::congestion() const {
  std::array<char, 32> text{};
  socklen_t size = text.size();
  if (::getsockopt(native(), IPPROTO_TCP, TCP_CONGESTION, text.data(), &size) != 0) return {};
  return text.data();
}

}  // namespace village::net
