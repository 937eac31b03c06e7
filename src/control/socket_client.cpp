#include "control/socket_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "village/control/limits.hpp"

namespace village::control {
namespace {

/// Socket closes itself.
class Socket {
 public:
  Socket() : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string why(const std::string& path) {
  if (errno == ENOENT || errno == ECONNREFUSED) return "no villaged answers at " + path + "; is it running?";
  if (errno == EACCES || errno == EPERM)
    return "you may not use " + path + "; run this as the user of villaged or as root";
  if (errno == EAGAIN || errno == EWOULDBLOCK) return "villaged at " + path + " did not answer in time";
  return "cannot ask villaged at " + path + ": " + std::generic_category().message(errno);
}

bool connect(int fd, const std::string& path, std::chrono::seconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const timeval limit{static_cast<time_t>(timeout.count()), 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(int fd, std::string& out) {
  std::array<char, 16 * 1024> block;
  while (out.size() <= limits::http_reply_bytes_max) {
    const auto count = ::recv(fd, block.data(), block.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) return true;
    out.append(block.data(), static_cast<std::size_t>(count));
  }
  errno = EMSGSIZE;
  return false;
}

}  // namespace

std::optional<SocketReply> socket_request(const std::string& socket_path, const std::string& method,
                                          const std::string& target, std::chrono::seconds timeout,
                                          std::string& problem, std::string_view body) {
  const Socket socket;
  std::string answer;
  const auto request = method + " " + target +
                       " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
                       "\r\nConnection: close\r\n\r\n" + std::string{body};
  if (socket.get() < 0 || !connect(socket.get(), socket_path, timeout) || !send_all(socket.get(), request) ||
      !receive_all(socket.get(), answer)) {
    problem = why(socket_path);
    return std::nullopt;
  }
  SocketReply reply;
  const auto end_of_head = answer.find("\r\n\r\n");
  constexpr std::string_view version = "HTTP/1.1 ";
  const auto digits = std::string_view{answer}.substr(std::min(version.size(), answer.size()), 3);
  const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), reply.status);
  if (end_of_head == std::string::npos || !answer.starts_with(version) || r.ec != std::errc{}) {
    problem = "what answers at " + socket_path + " is no villaged";
    return std::nullopt;
  }
  reply.body = answer.substr(end_of_head + 4);
  return reply;
}

}  // namespace village::control
