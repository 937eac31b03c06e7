#include "echo_server.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "support/report.hpp"

namespace village::bench {
namespace {

void watch(int poll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  must(::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
}

}  // namespace

EchoServer::EchoServer(std::size_t buffer_bytes, const TcpOptions& options) {
  std::tie(listener_, port_) = listen_tcp(options);
  poll_ = ::epoll_create1(EPOLL_CLOEXEC);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  watch(poll_, listener_.fd());
  watch(poll_, stop_);
  thread_ = std::thread{[this, buffer_bytes] { run(buffer_bytes); }};
}

EchoServer::~EchoServer() {
  const std::uint64_t one = 1;
  must(::write(stop_, &one, sizeof one) == sizeof one, "eventfd");
  thread_.join();
  ::close(stop_);
  ::close(poll_);
}

void EchoServer::run(std::size_t buffer_bytes) {
  std::vector<char> buffer(buffer_bytes);
  std::array<epoll_event, 256> ready;
  for (;;) {
    const int count = ::epoll_wait(poll_, ready.data(), static_cast<int>(ready.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = ready[static_cast<std::size_t>(i)].data.fd;
      if (fd == stop_) return;
      if (fd == listener_.fd()) {
        watch(poll_, ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
        continue;
      }
      const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        ::close(fd);
      } else {
        must(::send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got, "short echo");
      }
    }
  }
}

}  // namespace village::bench
