#include "village/net/socket_stream.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>

#include "net/await.hpp"
#include "village/base/check.hpp"

namespace village::net {
namespace {

constexpr std::size_t gather_parts_max = 64;
constexpr unsigned reads_per_turn = 16;

bool would_wait(int code) { return code == EAGAIN || code == EWOULDBLOCK; }
bool would_wait(const Error& error) {
  return error.code == Errc::busy && would_wait(static_cast<int>(error.detail));
}

}  // namespace

/// Socket outlives the stream for as long as an operation on it is under way: its owner may close or destroy
/// the stream at any moment, which ends the operation with `cancelled`.
struct SocketStream::Socket {
  using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
  Socket(Core& core, int fd) : descriptor{core.io().get_executor()} {
    boost::system::error_code code;
    descriptor.assign(fd, code);
    VG_CHECK(!code);  // epoll_ctl refuses only what is no socket
    descriptor.native_non_blocking(true, code);
  }
  int fd() { return descriptor.is_open() ? descriptor.native_handle() : -1; }

  Result<std::size_t> try_read(ByteSpan out) {
    VG_CHECK(!out.empty());
    for (;;) {
      const auto size = ::recv(fd(), out.data(), out.size(), 0);
      if (size >= 0) return static_cast<std::size_t>(size);
      if (errno != EINTR) return errno_error(errno);
    }
  }
  Result<std::size_t> try_write(ByteView in) {
    for (;;) {
      const auto size = ::send(fd(), in.data(), in.size(), MSG_NOSIGNAL);
      if (size >= 0) return static_cast<std::size_t>(size);
      if (errno != EINTR) return errno_error(errno);
    }
  }

  // Asio's own read takes two turns through its queue, and an epoll_wait, even when bytes are there. So we
  // look first; not after we have just looked in vain (an answer needs time), and not for ever, so that one
  // busy stream does not keep the core.
  static Task<std::size_t> read_some(std::shared_ptr<Socket> socket, ByteSpan out) {
    VG_CO_STOP_IF_CANCELLED();
    if (!socket->descriptor.is_open()) co_return fail(Errc::closed);
    VG_CHECK(!out.empty());
    if (!socket->looked_in_vain && socket->reads_in_turn < reads_per_turn) {
      const auto got = socket->try_read(out);
      ++socket->reads_in_turn;
      if (got.has_value() || !would_wait(got.error())) co_return got;
      socket->looked_in_vain = true;
    } else {
      socket->looked_in_vain = false;
    }
    socket->reads_in_turn = 0;
    const auto [code, size] =
        co_await socket->descriptor.async_read_some(asio::buffer(out.data(), out.size()), as_result);
    if (!code) co_return size;
    if (code == asio::error::eof) co_return std::size_t{0};
    co_return to_error(code);
  }

  static Task<void> write_all(std::shared_ptr<Socket> socket, ByteView in) {
    VG_CO_STOP_IF_CANCELLED();
    while (!in.empty()) {
      if (!socket->descriptor.is_open()) co_return fail(Errc::closed);
      const auto written = socket->try_write(in);
      if (written.has_value()) {
        in = in.subspan(*written);
        if (in.empty()) break;
      } else if (!would_wait(written.error())) {
        co_return written.error();
      }
      const auto [code] = co_await socket->descriptor.async_wait(Descriptor::wait_write, as_result);
      if (code) co_return to_error(code);
    }
    co_return ok();
  }

  static Task<void> write_gather(std::shared_ptr<Socket> socket, std::span<const ByteView> parts) {
    VG_CO_STOP_IF_CANCELLED();
    VG_CHECK(parts.size() <= gather_parts_max);
    std::array<iovec, gather_parts_max> vectors;
    std::size_t count = 0;
    for (const auto part : parts) {
      if (!part.empty()) vectors[count++] = {const_cast<std::byte*>(part.data()), part.size()};
    }
    std::size_t first = 0;
    while (first < count) {
      if (!socket->descriptor.is_open()) co_return fail(Errc::closed);
      msghdr message{};
      message.msg_iov = &vectors[first];
      message.msg_iovlen = count - first;
      const auto sent = ::sendmsg(socket->fd(), &message, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && !would_wait(errno)) co_return errno_error(errno);
      auto left = sent < 0 ? std::size_t{0} : static_cast<std::size_t>(sent);
      while (first < count && left >= vectors[first].iov_len) left -= vectors[first++].iov_len;
      if (first == count) break;
      vectors[first].iov_base = static_cast<std::byte*>(vectors[first].iov_base) + left;
      vectors[first].iov_len -= left;
      const auto [code] = co_await socket->descriptor.async_wait(Descriptor::wait_write, as_result);
      if (code) co_return to_error(code);
    }
    co_return ok();
  }

  static Task<void> wait(std::shared_ptr<Socket> socket, Descriptor::wait_type what) {
    VG_CO_STOP_IF_CANCELLED();
    if (!socket->descriptor.is_open()) co_return fail(Errc::closed);
    const auto [code] = co_await socket->descriptor.async_wait(what, as_result);
    if (code) co_return to_error(code);
    co_return ok();
  }

  static Task<void> shutdown(std::shared_ptr<Socket> socket) {
    if (!socket->descriptor.is_open()) co_return fail(Errc::closed);
    if (::shutdown(socket->fd(), SHUT_WR) != 0) co_return errno_error(errno);
    co_return ok();
  }

  Descriptor descriptor;
  bool looked_in_vain = false;
  unsigned reads_in_turn = 0;
};

SocketStream::SocketStream(Core& core, int fd) : core_{core} {
  VG_CHECK(fd >= 0);
  socket_ = std::make_shared<Socket>(core, fd);
}

SocketStream::~SocketStream() { SocketStream::close(); }

int SocketStream::native() const { return socket_->fd(); }
Task<std::size_t> SocketStream::read_some(ByteSpan out) { return Socket::read_some(socket_, out); }
Task<void> SocketStream::write_all(ByteView in) { return Socket::write_all(socket_, in); }
Task<void> SocketStream::write_gather(std::span<const ByteView> parts) {
  return Socket::write_gather(socket_, parts);
}
Task<void> SocketStream::wait_readable() { return Socket::wait(socket_, Socket::Descriptor::wait_read); }
Task<void> SocketStream::wait_writable() { return Socket::wait(socket_, Socket::Descriptor::wait_write); }
Task<void> SocketStream::shutdown_write() { return Socket::shutdown(socket_); }
Result<std::size_t> SocketStream::try_read(ByteSpan out) { return socket_->try_read(out); }
Result<std::size_t> SocketStream::try_peek(ByteSpan out) {
  const auto size = ::recv(native(), out.data(), out.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size < 0) return errno_error(errno);
  return static_cast<std::size_t>(size);
}
Result<std::size_t> SocketStream::try_write(ByteView in) { return socket_->try_write(in); }

void SocketStream::close() noexcept {
  boost::system::error_code code;
  socket_->descriptor.close(code);
}

void SocketStream::reset() noexcept {
  const linger hard{1, 0};
  (void)::setsockopt(native(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

}  // namespace village::net
