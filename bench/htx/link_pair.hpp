#pragma once
// LinkPair: two ends of one HTX session as the daemon runs them (net::Runtime, service::TunnelLink), joined
// by loopback TCP. The client lives on core 0, the server on core 1; SOCKS and the exit's own socket are not
// in it.
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "bench_htx.hpp"
#include "service/tunnel_link.hpp"
#include "support/sockets.hpp"
#include "village/net/runtime.hpp"

namespace village::bench {

/// SocketPair is a TCP connection over loopback as streams of two cores, under TLS 1.3 (AES-256-GCM) if
/// asked. `relay`, a port, is put between the two: it must pass on to `port`.
struct SocketShape {
  bool tls = false;
  std::function<std::uint16_t(std::uint16_t port)> relay = {};
};
std::pair<net::StreamPtr, net::StreamPtr> connect_streams(net::Runtime& runtime, const SocketShape& shape);

/// two_cores is a runtime with a thread for each end, each on a CPU of its own.
net::RuntimeOptions two_cores();

class LinkPair {
 public:
  struct Shape {
    SocketShape socket;
    htx::Suite suite = htx::Suite::xk_aesgcm_sha256;
    htx::Settings client, server;
  };
  using Stream = std::shared_ptr<service::TunnelStream>;
  /// Serve answers a stream that the client opened; it runs on the server's core.
  using Serve = std::function<boost::asio::awaitable<void>(net::Core&, Stream)>;
  LinkPair(const Shape& shape, Serve serve);
  ~LinkPair();
  LinkPair(const LinkPair&) = delete;
  LinkPair& operator=(const LinkPair&) = delete;

  /// open opens a stream from the client. `run` runs a coroutine of make(Core&) on the client's core.
  Stream open();
  template <class Make>
  auto run(Make make) {
    return runtime_.call(0, std::move(make));
  }
  /// cpu is the processor time in ns that the threads of client and server have used.
  std::pair<double, double> cpu();
  service::TunnelLink& client() { return *links_[0]; }
  service::TunnelLink& server() { return *links_[1]; }

 private:
  struct End;
  net::Runtime runtime_;
  std::shared_ptr<service::TunnelLink> links_[2];
  std::future<void> over_[2];
};

}  // namespace village::bench
