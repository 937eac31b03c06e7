#pragma once
// Sockets of a test's own thread: they block, for at most ten seconds.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "village/base/check.hpp"
#include "village/net/address.hpp"

namespace village::service::test {

inline std::pair<sockaddr_storage, socklen_t> to_sockaddr(const net::Endpoint& endpoint) {
  sockaddr_storage storage{};
  if (const auto* v4 = std::get_if<Ipv4Address>(&endpoint.ip)) {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(endpoint.port);
    std::copy_n(octets(*v4), 4, reinterpret_cast<std::uint8_t*>(&address->sin_addr));
    return {storage, sizeof(sockaddr_in)};
  }
  auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
  address->sin6_family = AF_INET6;
  address->sin6_port = htons(endpoint.port);
  std::copy_n(octets(std::get<Ipv6Address>(endpoint.ip)), 16,
              reinterpret_cast<std::uint8_t*>(&address->sin6_addr));
  return {storage, sizeof(sockaddr_in6)};
}

inline net::Endpoint from_sockaddr(const sockaddr_storage& storage) {
  net::Endpoint endpoint{Ipv4Address{}, 0};
  if (storage.ss_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(&storage);
    Ipv4Address ip;
    std::copy_n(reinterpret_cast<const std::byte*>(&address->sin_addr), 4, ip.begin());
    endpoint.ip = ip;
    endpoint.port = ntohs(address->sin_port);
  } else {
    const auto* address = reinterpret_cast<const sockaddr_in6*>(&storage);
    Ipv6Address ip;
    std::copy_n(reinterpret_cast<const std::byte*>(&address->sin6_addr), 16, ip.begin());
    endpoint.ip = ip;
    endpoint.port = ntohs(address->sin6_port);
  }
  return endpoint;
}

/// BlockingSocket owns a descriptor with ten-second time-outs.
class BlockingSocket {
 public:
  BlockingSocket(const net::Endpoint& local_or_remote, int type)
      : fd_{::socket(net::is_v4(local_or_remote.ip) ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0)} {
    VG_CHECK(fd_ >= 0);
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  BlockingSocket(BlockingSocket&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  BlockingSocket& operator=(BlockingSocket&&) = delete;
  ~BlockingSocket() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  net::Endpoint local() const {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size);
    return from_sockaddr(storage);
  }

 protected:
  int fd_;
};

/// Client is a TCP connection.
class Client : public BlockingSocket {
 public:
  explicit Client(const net::Endpoint& remote) : BlockingSocket{remote, SOCK_STREAM} {
    const auto [address, size] = to_sockaddr(remote);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0;
  }
  bool connected() const { return connected_; }
  void send(ByteView bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
  }
  void send(std::string_view text) { send(as_bytes(text)); }
  /// receive reads exactly `count` bytes, fewer only at the end of the stream, on error or after ten seconds.
  std::string receive(std::size_t count) {
    std::string out(count, '\0');
    std::size_t have = 0;
    while (have < count) {
      const auto got = ::recv(fd_, out.data() + have, count - have, 0);
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    out.resize(have);
    return out;
  }
  std::string receive_hex(std::size_t count) { return to_hex(as_bytes(receive(count))); }
  /// receive_to_end reads to the FIN; `orderly` tells whether there was one.
  std::string receive_to_end() {
    std::string out;
    char buffer[4096];
    for (;;) {
      const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
      orderly_ = got == 0;
      if (got <= 0) return out;
      out.append(buffer, static_cast<std::size_t>(got));
    }
  }
  bool orderly() const { return orderly_; }
  /// receive_head reads an HTTP head with its blank line.
  std::string receive_head() {
    std::string out;
    while (!out.ends_with("\r\n\r\n")) {
      const auto next = receive(1);
      if (next.empty()) break;
      out += next;
    }
    return out;
  }
  void finish() { ::shutdown(fd_, SHUT_WR); }

 private:
  bool connected_ = false;
  bool orderly_ = false;
};

/// UdpPeer is a bound UDP socket.
class UdpPeer : public BlockingSocket {
 public:
  explicit UdpPeer(const net::Endpoint& local) : BlockingSocket{local, SOCK_DGRAM} {
    const auto [address, size] = to_sockaddr(local);
    VG_CHECK(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  }
  void send(ByteView bytes, const net::Endpoint& to) {
    const auto [address, size] = to_sockaddr(to);
    VG_CHECK(::sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                      size) == static_cast<ssize_t>(bytes.size()));
  }
  /// receive waits for one datagram; empty after ten seconds.
  std::pair<Bytes, net::Endpoint> receive() {
    Bytes out(65'536);
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const auto got = ::recvfrom(fd_, out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return {std::move(out), from_sockaddr(from)};
  }
};

}  // namespace village::service::test
