#include "support/sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace village::bench {
namespace {

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "benchmark: %s: %s\n", what, std::strerror(errno));
  std::_Exit(1);
}

void prepare(int fd, const TcpOptions& options) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (!options.congestion.empty() && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options.congestion.data(),
                                                static_cast<socklen_t>(options.congestion.size())) != 0) {
    give_up("congestion control");
  }
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}
void Socket::shut_write() const { ::shutdown(fd_, SHUT_WR); }

void Socket::write_all(const void* data, std::size_t size) const {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const auto sent = ::send(fd_, at, size, MSG_NOSIGNAL);
    if (sent <= 0) give_up("send");
    at += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

std::size_t Socket::read_some(void* data, std::size_t size) const {
  const auto got = ::recv(fd_, data, size, 0);
  if (got < 0) give_up("receive");
  return static_cast<std::size_t>(got);
}

void Socket::read_all(void* data, std::size_t size) const {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    const auto got = read_some(at, size);
    if (got == 0) {
      errno = ECONNRESET;
      give_up("stream ended early");
    }
    at += got;
    size -= got;
  }
}

std::pair<Socket, std::uint16_t> listen_tcp(const TcpOptions& options) {
  Socket socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  prepare(socket.fd(), options);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(socket.fd(), 4096) != 0 ||
      ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("listen");
  }
  return {std::move(socket), ntohs(address.sin_port)};
}

Socket accept_tcp(const Socket& listener) {
  Socket socket{::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (socket.fd() < 0) give_up("accept");
  const int one = 1;
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return socket;
}

Socket dial_tcp(std::uint16_t port, const TcpOptions& options) {
  Socket socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  prepare(socket.fd(), options);
  const auto address = loopback(port);
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    give_up("connect");
  return socket;
}

std::string loopback_congestion() {
  auto [listener, port] = listen_tcp({""});
  const auto socket = dial_tcp(port, {""});
  char name[16] = {};
  socklen_t size = sizeof name;
  if (::getsockopt(socket.fd(), IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0) give_up("congestion");
  return name;
}

Socket dial_socks5(std::uint16_t proxy, std::uint16_t port, const TcpOptions& options) {
  auto socket = dial_tcp(proxy, options);
  const unsigned char hello[] = {5, 1, 0};
  socket.write_all(hello, sizeof hello);
  unsigned char answer[10];
  socket.read_all(answer, 2);
  const unsigned char request[] = {5,
                                   1,
                                   0,
                                   1,
                                   127,
                                   0,
                                   0,
                                   1,
                                   static_cast<unsigned char>(port >> 8),
                                   static_cast<unsigned char>(port & 255)};
  socket.write_all(request, sizeof request);
  socket.read_all(answer, sizeof answer);
  if (answer[1] != 0) {
    errno = ECONNREFUSED;
    give_up("SOCKS5");
  }
  return socket;
}

Child::Child(const std::function<void()>& body) {
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) give_up("fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  body();
  std::_Exit(0);
}

Child Child::spawn(const std::vector<std::string>& argv) {
  return Child{[&argv] {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(null, 1);
    std::vector<char*> raw;
    for (const auto& arg : argv) raw.push_back(const_cast<char*>(arg.c_str()));
    raw.push_back(nullptr);
    ::execv(raw[0], raw.data());
    std::_Exit(127);
  }};
}

Child::~Child() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace village::bench
