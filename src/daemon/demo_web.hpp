#pragma once
// The two ends of the demonstration: a web server on loopback that makes up its file, and a client that
// fetches it through a SOCKS5 proxy. Both digest what passes. Blocking sockets with time-outs; nothing of the
// daemon in them.
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/time.hpp"

namespace village::daemon {

/// Socket is a descriptor that closes itself.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_{descriptor} {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// connect_loopback connects to 127.0.0.1:`port`, connect_unix to a socket file. Errors: io.
Result<Socket> connect_loopback(std::uint16_t port);
Result<Socket> connect_unix(const std::string& path);

/// HttpReply is what http_get leaves behind; the body went to the caller's function.
struct HttpReply {
  int status = 0;
  std::uint64_t bytes = 0;
};
/// http_get asks for `path` on a connected socket and hands the body on, piece by piece, until its end.
/// Errors: io, truncated (fewer bytes than announced), malformed.
Result<HttpReply> http_get(const Socket& socket, const std::string& path,
                           const std::function<void(ByteView)>& body);
/// http_text does so and returns the body; any status but 200 is an error (refused, detail = status).
Result<std::string> http_text(const Socket& socket, const std::string& path);

/// http_call sends `method path` with a body and returns the status and the body of the answer. Errors: io,
/// truncated, malformed.
struct HttpAnswer {
  int status = 0;
  std::string body;
};
Result<HttpAnswer> http_call(const Socket& socket, const std::string& method, const std::string& path,
                             ByteView body);
/// free_port finds a TCP port of 127.0.0.1 that nobody uses now. Errors: io.
Result<std::uint16_t> free_port();

/// socks5_connect asks the proxy at the other end of `socket` for 127.0.0.1:`port`. Errors: io, refused
/// (detail = reply).
Result<void> socks5_connect(const Socket& socket, std::uint16_t port);

/// RandomFileServer answers every GET on 127.0.0.1 with the same `bytes` pseudo-random bytes, one request at
/// a time.
class RandomFileServer {
 public:
  static Result<std::unique_ptr<RandomFileServer>> start(std::uint64_t bytes, std::uint64_t seed);
  ~RandomFileServer();
  std::uint16_t port() const { return port_; }
  /// digest is the hex SHA-256 of the file, computed apart from any transfer.
  std::string digest() const;

 private:
  RandomFileServer(Socket listener, std::uint16_t port, std::uint64_t bytes, std::uint64_t seed);
  void serve();
  void answer(const Socket& client) const;

  Socket listener_;
  std::uint16_t port_;
  std::uint64_t bytes_, seed_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace village::daemon
