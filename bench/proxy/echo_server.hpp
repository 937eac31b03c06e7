#pragma once
// EchoServer: one thread, epoll, blocking sends: the plainest server that the published shapes can be run
// against.
#include <cstddef>
#include <cstdint>
#include <thread>

#include "support/sockets.hpp"

namespace village::bench {

class EchoServer {
 public:
  EchoServer(std::size_t buffer_bytes, const TcpOptions& options);
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  ~EchoServer();
  std::uint16_t port() const { return port_; }

 private:
  void run(std::size_t buffer_bytes);
  Socket listener_;
  std::uint16_t port_ = 0;
  int poll_ = -1, stop_ = -1;
  std::thread thread_;
};

}  // namespace village::bench
