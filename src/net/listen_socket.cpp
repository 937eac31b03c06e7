#include "net/listen_socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "net/sockaddr.hpp"
#include "net/unix_address.hpp"
#include "village/net/error_code.hpp"

namespace village::net {
namespace {

Result<Fd> tcp_socket(const Endpoint& endpoint) {
  Fd fd{::socket(family_of(endpoint), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
  if (fd.get() < 0) return errno_error(errno);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);  // a restart must not wait for TIME_WAIT
  if (!is_v4(endpoint.ip)) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return fd;
}

Result<void> bind_and_listen(int fd, const Endpoint& endpoint, int backlog) {
  const auto address = to_address(endpoint);
  if (::bind(fd, address.get(), address.size) != 0) return errno_error(errno);
  if (::listen(fd, backlog) != 0) return errno_error(errno);
  return ok();
}

/// is_live tells whether somebody answers at that socket.
bool is_live(const UnixAddress& address) {
  const Fd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  return ::connect(probe.get(), address.get(), address.size) == 0 || errno == EAGAIN;
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

// The first socket listens before it has SO_REUSEPORT: that fails if anybody listens there, whatever options
// he has. Only then it becomes shareable, and the rest joins it. So there is no moment at which a second
// daemon can slip in.
Result<std::vector<Fd>> listen_tcp(const Endpoint& endpoint, std::size_t count, int backlog) {
  std::vector<Fd> sockets;
  VG_TRY(first, tcp_socket(endpoint));
  VG_TRY_VOID(bind_and_listen(first.get(), endpoint, backlog));
  const auto bound = socket_local(first.get());
  if (!bound) return fail(Errc::internal);
  if (count > 1 && !set_option(first.get(), SOL_SOCKET, SO_REUSEPORT, 1)) return errno_error(errno);
  sockets.push_back(std::move(first));
  while (sockets.size() < count) {
    VG_TRY(next, tcp_socket(endpoint));
    if (!set_option(next.get(), SOL_SOCKET, SO_REUSEPORT, 1)) return errno_error(errno);
    VG_TRY_VOID(bind_and_listen(next.get(), *bound, backlog));
    sockets.push_back(std::move(next));
  }
  return sockets;
}

Result<Fd> listen_unix(const std::string& path, mode_t mode, int backlog) {
  const auto address = unix_address(path);
  if (!address) return fail(Errc::bad_argument);
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode) || is_live(*address)) return fail(Errc::already_exists, EADDRINUSE);
    if (::unlink(path.c_str()) != 0) return errno_error(errno);
  }
  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (fd.get() < 0) return errno_error(errno);
  // The file takes its mode from the socket, less the umask: never more open than `mode`, not even for a
  // moment.
  if (::fchmod(fd.get(), mode) != 0) return errno_error(errno);
  if (::bind(fd.get(), address->get(), address->size) != 0) return errno_error(errno);
  if (::chmod(path.c_str(), mode) != 0) return errno_error(errno);
  if (::listen(fd.get(), backlog) != 0) return errno_error(errno);
  return fd;
}

Result<std::vector<Fd>> duplicate(Fd fd, std::size_t count) {
  std::vector<Fd> sockets;
  sockets.push_back(std::move(fd));
  while (sockets.size() < count) {
    Fd copy{::fcntl(sockets.front().get(), F_DUPFD_CLOEXEC, 3)};
    if (copy.get() < 0) return errno_error(errno);
    sockets.push_back(std::move(copy));
  }
  return sockets;
}

}  // namespace village::net
