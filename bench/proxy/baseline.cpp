// Direct TCP, in the published shapes: echo server with an 8 KiB buffer, fresh connections, both directions
// counted. The published program ran client and server on one thread of one laptop; here they are two threads
// of one process.
#include <algorithm>
#include <thread>
#include <vector>

#include "bench_proxy.hpp"
#include "echo_server.hpp"
#include "support/sockets.hpp"

namespace village::bench {
namespace {

constexpr std::size_t mib = 1 << 20;

/// exchange writes `out` and reads the same number of bytes back, at once in both directions; checks the
/// echo.
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
    report.row(
        "proxy.baseline", "throughput_Gbps" + suffix, {{"value", spread(rates).median}},
        note + "; 10 fresh connections x 1 MiB out and back, both directions counted, 8 KiB echo buffer");
    report.row("proxy.baseline", "p95_ms" + suffix,
               {{"value", latency_p95_ms(options.scaled(1000, 100), tcp)}},
               note + "; 4 bytes out and back on a fresh connection");
    report.row("proxy.baseline", "connections_per_s" + suffix,
               {{"value", connections_per_s(options.scaled(5000, 500), congestion)}},
               note + "; connect, 4-byte echo, close");
    report.row("proxy.baseline", "large_transfer_MB_per_s" + suffix,
               {{"value", large_transfer_mib_per_s(options.scaled(400, 100), congestion)}},
               note +
                   "; MiB/s, one connection, 1 MiB blocks out and back, both directions counted, 64 KiB echo "
                   "buffer");
  }
}

}  // namespace village::bench
