#include "village/net/unix.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "net/await.hpp"
#include "net/unix_address.hpp"
#include "village/net/deadline.hpp"

namespace village::net {

std::optional<UnixAddress> unix_address(const std::string& path) {
  UnixAddress address;
  if (path.empty() || path.size() >= sizeof address.name.sun_path) return std::nullopt;
  address.name.sun_family = AF_UNIX;
  path.copy(address.name.sun_path, path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

std::optional<PeerCredentials> UnixStream::peer() const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(native(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

namespace {

Task<std::unique_ptr<UnixStream>> connect_now(Core& core, std::string path, Instant deadline) {
  VG_CO_STOP_IF_CANCELLED();
  const auto address = unix_address(path);
  if (!address) co_return fail(Errc::bad_argument);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return errno_error(errno);
  auto stream = std::make_unique<UnixStream>(core, fd);
  // A full backlog is EAGAIN here, and nothing tells when there is room: look again soon.
  while (::connect(fd, address->get(), address->size) != 0) {
    if (errno != EAGAIN && errno != EINTR) co_return errno_error(errno);
    const auto slept =
        co_await sleep_until(core, std::min(deadline, after(core, std::chrono::milliseconds{5})));
    if (slept.has_error()) co_return slept.error();
  }
  co_return std::move(stream);
}

}  // namespace

Task<std::unique_ptr<UnixStream>> unix_connect(Core& core, std::string path, Instant deadline) {
  return with_deadline(core, connect_now(core, std::move(path), deadline), deadline);
}

}  // namespace village::net
