#include "village/net/socket_stream.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <cerrno>

#include "net/await.hpp"
#include "village/base/check.hpp"

namespace village::net {
namespace {

constexpr std::size_t gather_parts_max = 64;

bool would_wait(int code) { return code == EAGAIN || code == EWOULDBLOCK; }

}  // namespace

// Rule of this file: after a wait that failed nothing of *this is touched, for the owner may have destroyed
// the stream, which is what ended the wait.

SocketStream::SocketStream(Core& core, int fd) : core_{core}, descriptor_{core.io().get_executor()} {
  VG_CHECK(fd >= 0);
  boost::system::error_code code;
  descriptor_.assign(fd, code);
  VG_CHECK(!code);  // epoll_ctl refuses only what is no socket
  descriptor_.native_non_blocking(true, code);
}

SocketStream::~SocketStream() { SocketStream::close(); }

int SocketStream::native() const { return descriptor_.is_open() ? descriptor_.native_handle() : -1; }

// Asio tries recv at once and otherwise leaves the read to the reactor: no system call more than needed, and
// a turn through the queue even when bytes are there, so that one busy stream does not keep the core.
Task<std::size_t> SocketStream::read_some(ByteSpan out) {
  VG_CO_STOP_IF_CANCELLED();
  if (!descriptor_.is_open()) co_return fail(Errc::closed);
  VG_CHECK(!out.empty());
  const auto [code, size] =
      co_await descriptor_.async_read_some(asio::buffer(out.data(), out.size()), as_result);
  if (!code) co_return size;
  if (code == asio::error::eof) co_return std::size_t{0};
  co_return to_error(code);
}

Result<std::size_t> SocketStream::try_read(ByteSpan out) {
  VG_CHECK(!out.empty());
  for (;;) {
    const auto size = ::recv(native(), out.data(), out.size(), 0);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno != EINTR) return errno_error(errno);
  }
}

Result<std::size_t> SocketStream::try_write(ByteView in) {
  for (;;) {
    const auto size = ::send(native(), in.data(), in.size(), MSG_NOSIGNAL);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno != EINTR) return errno_error(errno);
  }
}

Task<void> SocketStream::write_all(ByteView in) {
  VG_CO_STOP_IF_CANCELLED();
  while (!in.empty()) {
    if (!descriptor_.is_open()) co_return fail(Errc::closed);
    const auto written = try_write(in);
    if (written.has_value()) {
      in = in.subspan(*written);
      if (in.empty()) break;
    } else if (written.error().code != Errc::busy || !would_wait(static_cast<int>(written.error().detail))) {
      co_return written.error();
    }
    const auto [code] = co_await descriptor_.async_wait(Descriptor::wait_write, as_result);
    if (code) co_return to_error(code);
  }
  co_return ok();
}

Task<void> SocketStream::write_gather(std::span<const ByteView> parts) {
  VG_CO_STOP_IF_CANCELLED();
  VG_CHECK(parts.size() <= gather_parts_max);
  std::array<iovec, gather_parts_max> vectors;
  std::size_t count = 0;
  for (const auto part : parts) {
    if (!part.empty()) vectors[count++] = {const_cast<std::byte*>(part.data()), part.size()};
  }
  std::size_t first = 0;
  while (first < count) {
    if (!descriptor_.is_open()) co_return fail(Errc::closed);
    msghdr message{};
    message.msg_iov = &vectors[first];
    message.msg_iovlen = count - first;
    const auto sent = ::sendmsg(native(), &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && !would_wait(errno)) co_return errno_error(errno);
    auto left = sent < 0 ? std::size_t{0} : static_cast<std::size_t>(sent);
    while (first < count && left >= vectors[first].iov_len) left -= vectors[first++].iov_len;
    if (first == count) break;
    vectors[first].iov_base = static_cast<std::byte*>(vectors[first].iov_base) + left;
    vectors[first].iov_len -= left;
    const auto [code] = co_await descriptor_.async_wait(Descriptor::wait_write, as_result);
    if (code) co_return to_error(code);
  }
  co_return ok();
}

Task<void> SocketStream::wait_readable() {
  VG_CO_STOP_IF_CANCELLED();
  if (!descriptor_.is_open()) co_return fail(Errc::closed);
  const auto [code] = co_await descriptor_.async_wait(Descriptor::wait_read, as_result);
  if (code) co_return to_error(code);
  co_return ok();
}

Task<void> SocketStream::wait_writable() {
  VG_CO_STOP_IF_CANCELLED();
  if (!descriptor_.is_open()) co_return fail(Errc::closed);
  const auto [code] = co_await descriptor_.async_wait(Descriptor::wait_write, as_result);
  if (code) co_return to_error(code);
  co_return ok();
}

Task<void> SocketStream::shutdown_write() {
  if (!descriptor_.is_open()) co_return fail(Errc::closed);
  if (::shutdown(native(), SHUT_WR) != 0) co_return errno_error(errno);
  co_return ok();
}

void SocketStream::close() noexcept {
  boost::system::error_code code;
  descriptor_.close(code);
}

void SocketStream::reset() noexcept {
  const linger hard{1, 0};
  (void)::setsockopt(native(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

}  // namespace village::net
