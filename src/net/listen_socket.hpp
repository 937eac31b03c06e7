#pragma once
// Making listening sockets: plain system calls, no loop.
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "village/base/error.hpp"
#include "village/net/address.hpp"

namespace village::net {

/// Fd owns a descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_{fd} {}
  Fd(Fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// listen_tcp makes `count` sockets that share one port, exclusive against everybody else.
Result<std::vector<Fd>> listen_tcp(const Endpoint& endpoint, std::size_t count, int backlog);
/// listen_unix makes one socket at `path` with exactly `mode`.
Result<Fd> listen_unix(const std::string& path, mode_t mode, int backlog);
/// duplicate makes `count` descriptors of one socket, the first being `fd` itself.
Result<std::vector<Fd>> duplicate(Fd fd, std::size_t count);

}  // namespace village::net
