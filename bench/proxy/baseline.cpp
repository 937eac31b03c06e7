// Direct TCP, in the published shapes: echo server with an 8 KiB buffer, fresh connections, both directions counted.
// The published program ran client and server on one thread of one laptop; here they are two threads of one process.
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "bench_proxy.hpp"
#include "support/sockets.hpp"

namespace village::bench {
namespace {

constexpr std::size_t mib = 1 << 20;

/// EchoServer answers each connection on a thread of its own until it is destroyed.
class EchoServer {
 public:
  EchoServer(std::size_t buffer_bytes, const TcpOptions& options) : buffer_bytes_{buffer_bytes} {
    std::tie(listener_, port_) = listen_tcp(options);
    acceptor_ = std::thread{[this] { accept_all(); }};
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  ~EchoServer() {
    ending_ = true;
    ::shutdown(listener_.fd(), SHUT_RDWR);
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
  }
  std::uint16_t port() const { return port_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (ending_ || fd < 0) return;
      threads_.emplace_back([this, fd] {
        const Socket socket{fd};
        std::vector<char> buffer(buffer_bytes_);
        while (const auto got = socket.read_some(buffer.data(), buffer.size())) socket.write_all(buffer.data(), got);
      });
    }
  }
  std::size_t buffer_bytes_;
  Socket listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> ending_{false};
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

/// exchange writes `out` and reads the same number of bytes back, at once in both directions; checks the echo.
void exchange(const Socket& socket, const std::vector<char>& out) {
  std::thread writer{[&] { socket.write_all(out.data(), out.size()); }};
  std::vector<char> back(out.size());
  socket.read_all(back.data(), back.size());
  writer.join();
  must(back == out, "echoed bytes differ");
}

double throughput_gbit_per_s(std::uint64_t rounds, const TcpOptions& tcp) {
  EchoServer server{8192, tcp};
  const std::vector<char> block(mib, 'x');
  const auto start = now_ns();
  for (std::uint64_t i = 0; i < rounds; ++i) exchange(dial_tcp(server.port(), tcp), block);
  return static_cast<double>(rounds * 2 * mib) * 8.0 / static_cast<double>(now_ns() - start);
}

double latency_p95_ms(std::uint64_t samples, const TcpOptions& tcp) {
  EchoServer server{8192, tcp};
  std::vector<double> ms;
  char ping[4] = {'p', 'i', 'n', 'g'};
  for (std::uint64_t i = 0; i < samples; ++i) {
    const auto socket = dial_tcp(server.port(), tcp);
    const auto start = now_ns();
    socket.write_all(ping, 4);
    socket.read_all(ping, 4);
    ms.push_back(static_cast<double>(now_ns() - start) * 1e-6);
  }
  std::sort(ms.begin(), ms.end());
  return ms[ms.size() * 95 / 100];
}

}  // namespace

double connections_per_s(std::uint64_t connections, const std::string& congestion) {
  const TcpOptions tcp{congestion};
  EchoServer server{64, tcp};
  char ping[4] = {'p', 'i', 'n', 'g'};
  const auto start = now_ns();
  for (std::uint64_t i = 0; i < connections; ++i) {
    const auto socket = dial_tcp(server.port(), tcp);
    socket.write_all(ping, 4);
    socket.read_all(ping, 4);
  }
  return static_cast<double>(connections) * 1e9 / static_cast<double>(now_ns() - start);
}

double large_transfer_mib_per_s(std::uint64_t rounds, const std::string& congestion) {
  const TcpOptions tcp{congestion};
  EchoServer server{65536, tcp};
  const auto socket = dial_tcp(server.port(), tcp);
  const std::vector<char> block(mib, 'y');
  const auto start = now_ns();
  for (std::uint64_t i = 0; i < rounds; ++i) exchange(socket, block);
  return static_cast<double>(rounds * 2) * 1e9 / static_cast<double>(now_ns() - start);
}

void run_baseline(const Options& options, Report& report) {
  for (const std::string congestion : {"cubic", "bbr"}) {
    const TcpOptions tcp{congestion};
    const auto suffix = congestion == "cubic" ? std::string{} : " " + congestion;
    const auto note = "direct TCP, " + congestion + ", client and echo server are threads of one process";
    std::vector<double> rates;
    for (int i = 0; i < 5; ++i) rates.push_back(throughput_gbit_per_s(10, tcp));
    report.row("proxy.baseline", "throughput_Gbps" + suffix, {{"value", spread(rates).median}},
               note + "; 10 fresh connections x 1 MiB out and back, both directions counted, 8 KiB echo buffer");
    report.row("proxy.baseline", "p95_ms" + suffix, {{"value", latency_p95_ms(options.scaled(1000, 100), tcp)}},
               note + "; 4 bytes out and back on a fresh connection");
    report.row("proxy.baseline", "connections_per_s" + suffix,
               {{"value", connections_per_s(options.scaled(5000, 500), congestion)}}, note + "; connect, 4-byte echo, close");
    report.row("proxy.baseline", "large_transfer_MB_per_s" + suffix,
               {{"value", large_transfer_mib_per_s(options.scaled(400, 100), congestion)}},
               note + "; MiB/s, one connection, 1 MiB blocks out and back, both directions counted, 64 KiB echo buffer");
  }
}

}  // namespace village::bench
