#pragma once
// What the tests of net share: a runtime of one core, and a pair of connected TCP streams.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "net/sockaddr.hpp"
#include "village/base/check.hpp"
#include "village/net/deadline.hpp"
#include "village/net/event.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"

namespace village::net::test {

/// OneCore is a started runtime of one core; run() executes a coroutine there and waits for its value.
class OneCore {
 public:
  explicit OneCore(ResolverOptions resolver = {}) : runtime_{options(std::move(resolver))} {
    runtime_.start();
  }
  template <class Make>
  auto run(Make make) {
    return runtime_.call(0, std::move(make));
  }
  Runtime& runtime() { return runtime_; }
  Core& core() { return runtime_.core(0); }

 private:
  static RuntimeOptions options(ResolverOptions resolver) {
    RuntimeOptions all;
    all.cores = 1;
    all.resolver = std::move(resolver);
    return all;
  }
  Runtime runtime_;
};

/// far is a deadline that no test should meet.
inline Instant far(Core& core) { return after(core, std::chrono::seconds{60}); }

/// code_of is the error's code, or no code at all.
template <class T>
std::optional<Errc> code_of(const Result<T>& result) {
  if (result.has_value()) return std::nullopt;
  return result.error().code;
}

/// value_of is the value, or `other` if there is none.
template <class T>
T value_of(const Result<T>& result, T other = {}) {
  if (result.has_error()) return other;
  return *result;
}

/// tcp_pair makes two connected descriptors on loopback, without a loop.
inline std::pair<int, int> tcp_pair() {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto any = to_address(loopback_v4());
  VG_CHECK(::bind(listening, any.get(), any.size) == 0);
  VG_CHECK(::listen(listening, 1) == 0);
  const auto where = to_address(*socket_local(listening));
  const int left = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  VG_CHECK(::connect(left, where.get(), where.size) == 0);
  const int right = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
  VG_CHECK(right >= 0);
  ::close(listening);
  return {left, right};
}

struct StreamPair {
  std::unique_ptr<TcpStream> left, right;
};
inline StreamPair stream_pair(Core& core) {
  const auto [left, right] = tcp_pair();
  return {std::make_unique<TcpStream>(core, left), std::make_unique<TcpStream>(core, right)};
}

/// pattern is `size` bytes that repeat only after 251.
inline Bytes pattern(std::size_t size, std::size_t start = 0) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((start + i) % 251);
  return bytes;
}

/// read_exactly reads `size` bytes, or fewer if the stream ends or fails.
inline asio::awaitable<Bytes> read_exactly(Stream& stream, std::size_t size) {
  Bytes all(size);
  std::size_t have = 0;
  while (have < size) {
    const auto got = co_await stream.read_some(ByteSpan{all}.subspan(have));
    if (got.has_error() || *got == 0) break;
    have += *got;
  }
  all.resize(have);
  co_return all;
}

}  // namespace village::net::test
