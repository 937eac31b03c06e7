// Stress rows: as published, direct TCP and not a proxy. "500 concurrent" was published with a fixed
// one-second sleep inside the measured time; here it is the time itself.
#include <vector>

#include "bench_proxy.hpp"
#include "echo_server.hpp"
#include "support/sockets.hpp"

namespace village::bench {
namespace {

double concurrent_s(std::size_t connections, const TcpOptions& tcp) {
  const EchoServer server{64, tcp};
  const auto start = now_ns();
  std::vector<Socket> sockets;
  for (std::size_t i = 0; i < connections; ++i) sockets.push_back(dial_tcp(server.port(), tcp));
  for (const auto& socket : sockets) socket.write_all("ping", 4);
  char back[4];
  for (const auto& socket : sockets) socket.read_all(back, 4);
  return static_cast<double>(now_ns() - start) * 1e-9;
}

}  // namespace

void run_stress(const Options& options, Report& report) {
  const std::string how = "direct TCP as published, cubic";
  report.row("proxy.stress", "connection_rate_per_s",
             {{"result", connections_per_s(options.scaled(5000, 500), "cubic")}},
             how + "; connect, 4-byte echo, close, one after the other");
  report.row("proxy.stress", "large_transfer_MB_per_s",
             {{"result", large_transfer_mib_per_s(options.scaled(400, 100), "cubic")}},
             how + "; MiB/s, both directions counted");
  report.row("proxy.stress", "500_concurrent_connections_s", {{"result", concurrent_s(500, {"cubic"})}},
             how + "; the published 1.03 s contains a fixed sleep of 1 s, this row does not");
}

}  // namespace village::bench
