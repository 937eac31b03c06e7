#pragma once
// Plain blocking sockets and child processes for the raw side of a comparison.
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace village::bench {

/// Socket owns a descriptor. All calls end the program with a message on failure: a benchmark has no use for
/// less.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_{fd} {}
  Socket(Socket&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();
  int fd() const { return fd_; }
  /// release gives the descriptor away.
  int release() { return std::exchange(fd_, -1); }
  void shut_write() const;
  void write_all(const void* data, std::size_t size) const;
  /// read_some returns 0 at the end of the stream.
  std::size_t read_some(void* data, std::size_t size) const;
  void read_all(void* data, std::size_t size) const;

 private:
  int fd_;
};

/// Congestion is set on listeners and dialled sockets alike ("" = system default).
struct TcpOptions {
  std::string congestion = "cubic";
};

/// listen_tcp binds 127.0.0.1 on a free port.
std::pair<Socket, std::uint16_t> listen_tcp(const TcpOptions& options);
Socket accept_tcp(const Socket& listener);
Socket dial_tcp(std::uint16_t port, const TcpOptions& options);
/// loopback_congestion is what a plain loopback connection uses here (peers that set nothing).
std::string loopback_congestion();
/// dial_socks5 asks a proxy on 127.0.0.1 for 127.0.0.1:port and returns the connected stream.
Socket dial_socks5(std::uint16_t proxy, std::uint16_t port, const TcpOptions& options);

/// Child is a forked process that runs `body` and exits; killed and reaped by the destructor.
class Child {
 public:
  explicit Child(const std::function<void()>& body);
  /// spawn runs a program with arguments, standard streams to /dev/null.
  static Child spawn(const std::vector<std::string>& argv);
  Child(Child&& other) noexcept : pid_{std::exchange(other.pid_, -1)} {}
  Child& operator=(Child&&) = delete;
  ~Child();
  pid_t pid() const { return pid_; }

 private:
  Child() = default;
  pid_t pid_ = -1;
};

}  // namespace village::bench
