// Stress rows: as published, direct TCP and not a proxy. "500 concurrent" was published with a fixed one-second sleep
// inside the measured time; here it is the time itself.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "bench_proxy.hpp"
#include "support/sockets.hpp"

namespace village::bench {
namespace {

/// echo_all answers `connections` clients of one listener with epoll, then returns.
void echo_all(const Socket& listener, std::size_t connections) {
  const int poll = ::epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener.fd();
  ::epoll_ctl(poll, EPOLL_CTL_ADD, listener.fd(), &event);
  std::size_t closed = 0;
  std::vector<epoll_event> ready(256);
  char buffer[64];
  while (closed < connections) {
    const int count = ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), 5000);
    must(count > 0, "no connection within 5 s");
    for (int i = 0; i < count; ++i) {
      const int fd = ready[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener.fd()) {
        event.data.fd = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        ::epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event);
        continue;
      }
      const auto got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got > 0) {
        must(::send(fd, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got, "short echo");
      } else {
        ::close(fd);
        ++closed;
      }
    }
  }
  ::close(poll);
}

double concurrent_s(std::size_t connections, const TcpOptions& tcp) {
  auto [listener, port] = listen_tcp(tcp);
  std::thread server{[&listener = listener, connections] { echo_all(listener, connections); }};
  const auto start = now_ns();
  {
    std::vector<Socket> sockets;
    for (std::size_t i = 0; i < connections; ++i) sockets.push_back(dial_tcp(port, tcp));
    for (const auto& socket : sockets) socket.write_all("ping", 4);
    char back[4];
    for (const auto& socket : sockets) socket.read_all(back, 4);
  }
  const auto taken = static_cast<double>(now_ns() - start) * 1e-9;
  server.join();
  return taken;
}

}  // namespace

void run_stress(const Options& options, Report& report) {
  const std::string how = "direct TCP as published, cubic";
  report.row("proxy.stress", "connection_rate_per_s", {{"result", connections_per_s(options.scaled(5000, 500), "cubic")}},
             how + "; connect, 4-byte echo, close, one after the other");
  report.row("proxy.stress", "large_transfer_MB_per_s", {{"result", large_transfer_mib_per_s(options.scaled(400, 100), "cubic")}},
             how + "; MiB/s, both directions counted");
  report.row("proxy.stress", "500_concurrent_connections_s", {{"result", concurrent_s(500, {"cubic"})}},
             how + "; the published 1.03 s contains a fixed sleep of 1 s, this row does not");
}

}  // namespace village::bench
