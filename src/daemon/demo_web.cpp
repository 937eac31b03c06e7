#include "daemon/demo_web.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "village/base/random.hpp"
#include "village/crypto/hash.hpp"

namespace village::daemon {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;
constexpr std::size_t head_bytes_max = 16 * 1024;
constexpr timeval io_time_max{30, 0};

Error io_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

void bound_in_time(const Socket& socket) {
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &io_time_max, sizeof io_time_max);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &io_time_max, sizeof io_time_max);
}

Result<void> send_all(const Socket& socket, ByteView data) {
  while (!data.empty()) {
    const auto size = ::send(socket.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (size <= 0) return io_error();
    data = data.subspan(static_cast<std::size_t>(size));
  }
  return ok();
}

Result<std::size_t> receive(const Socket& socket, ByteSpan out) {
  const auto size = ::recv(socket.get(), out.data(), out.size(), 0);
  if (size < 0) return io_error();
  return static_cast<std::size_t>(size);
}

Result<void> receive_exactly(const Socket& socket, ByteSpan out) {
  while (!out.empty()) {
    VG_TRY(size, receive(socket, out));
    if (size == 0) return fail(Errc::truncated);
    out = out.subspan(size);
  }
  return ok();
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// Head is a message's first lines, and the bytes behind them that came along.
struct Head {
  std::string text;
  Bytes rest;
};

Result<Head> receive_head(const Socket& socket) {
  Bytes all;
  for (;;) {
    const auto text = as_text(all);
    if (const auto end = text.find("\r\n\r\n"); end != std::string_view::npos) {
      return Head{std::string{text.substr(0, end + 2)}, to_bytes(ByteView{all}.subspan(end + 4))};
    }
    if (all.size() > head_bytes_max) return fail(Errc::limit_exceeded);
    const auto before = all.size();
    all.resize(before + 4096);
    VG_TRY(size, receive(socket, ByteSpan{all}.subspan(before)));
    if (size == 0) return fail(Errc::truncated);
    all.resize(before + size);
  }
}

template <class T>
std::optional<T> number_behind(std::string_view text, std::string_view mark) {
  const auto found = std::search(text.begin(), text.end(), mark.begin(), mark.end(),
                                 [](char a, char b) { return std::tolower(a) == std::tolower(b); });
  if (found == text.end()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(found - text.begin()) + mark.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

}  // namespace

Socket::Socket(Socket&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<Socket> connect_loopback(std::uint16_t port) {
  Socket socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  bound_in_time(socket);
  const auto address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return io_error();
  return socket;
}

Result<Socket> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(Errc::bad_argument);
  std::memcpy(address.sun_path, path.data(), path.size());
  Socket socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  bound_in_time(socket);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return io_error();
  return socket;
}

Result<std::uint16_t> free_port() {
  const Socket socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  auto address = loopback(0);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (socket.get() < 0 || ::bind(socket.get(), plain, size) != 0 ||
      ::getsockname(socket.get(), plain, &size) != 0)
    return io_error();
  return ntohs(address.sin_port);
}

namespace {

Result<HttpReply> exchange(const Socket& socket, const std::string& request, ByteView sent,
                           const std::function<void(ByteView)>& body) {
  VG_TRY_VOID(send_all(socket, as_bytes(request)));
  VG_TRY_VOID(send_all(socket, sent));
  VG_TRY(head, receive_head(socket));
  const auto status = number_behind<int>(head.text, "HTTP/1.1 ");
  const auto length = number_behind<std::uint64_t>(head.text, "\r\nContent-Length:");
  if (!status || !length) return fail(Errc::malformed);
  HttpReply reply{*status, head.rest.size()};
  if (!head.rest.empty()) body(head.rest);
  Bytes buffer(piece_bytes);
  while (reply.bytes < *length) {
    VG_TRY(size, receive(socket, buffer));
    if (size == 0) return fail(Errc::truncated);
    body(ByteView{buffer}.first(size));
    reply.bytes += size;
  }
  if (reply.bytes != *length) return fail(Errc::trailing_bytes);
  return reply;
}

}  // namespace

Result<HttpReply> http_get(const Socket& socket, const std::string& path,
                           const std::function<void(ByteView)>& body) {
  const auto request = fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
  return exchange(socket, request, {}, body);
}

Result<HttpAnswer> http_call(const Socket& socket, const std::string& method, const std::string& path,
                             ByteView body) {
  const auto request =
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                  method, path, body.size());
  HttpAnswer answer;
  VG_TRY(reply,
         exchange(socket, request, body, [&answer](ByteView piece) { answer.body += as_text(piece); }));
  answer.status = reply.status;
  return answer;
}

Result<std::string> http_text(const Socket& socket, const std::string& path) {
  std::string text;
  VG_TRY(reply, http_get(socket, path, [&text](ByteView piece) { text += as_text(piece); }));
  if (reply.status != 200) return fail(Errc::refused, static_cast<std::uint64_t>(reply.status));
  return text;
}

// RFC 1928: version, one method, none wanted; then CONNECT to an IPv4 address.
Result<void> socks5_connect(const Socket& socket, std::uint16_t port) {
  const auto to_byte = [](unsigned value) { return static_cast<std::byte>(value); };
  const std::array greeting{to_byte(5), to_byte(1), to_byte(0)};
  VG_TRY_VOID(send_all(socket, greeting));
  ByteArray<2> method;
  VG_TRY_VOID(receive_exactly(socket, method));
  if (method != ByteArray<2>{to_byte(5), to_byte(0)}) return fail(Errc::protocol);
  const std::array request{to_byte(5), to_byte(1), to_byte(0), to_byte(1),          to_byte(127),
                           to_byte(0), to_byte(0), to_byte(1), to_byte(port >> 8u), to_byte(port & 0xffu)};
  VG_TRY_VOID(send_all(socket, request));
  ByteArray<10> answer;
  VG_TRY_VOID(receive_exactly(socket, answer));
  if (answer[1] != to_byte(0)) return fail(Errc::refused, std::to_integer<std::uint64_t>(answer[1]));
  return ok();
}

Result<std::unique_ptr<RandomFileServer>> RandomFileServer::start(std::uint64_t bytes, std::uint64_t seed) {
  Socket listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  auto address = loopback(0);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (listener.get() < 0 || ::bind(listener.get(), plain, size) != 0 || ::listen(listener.get(), 16) != 0 ||
      ::getsockname(listener.get(), plain, &size) != 0) {
    return io_error();
  }
  const auto port = ntohs(address.sin_port);
  return std::unique_ptr<RandomFileServer>{new RandomFileServer{std::move(listener), port, bytes, seed}};
}

RandomFileServer::RandomFileServer(Socket listener, std::uint16_t port, std::uint64_t bytes,
                                   std::uint64_t seed)
    : listener_{std::move(listener)}, port_{port}, bytes_{bytes}, seed_{seed}, thread_{[this] { serve(); }} {}

RandomFileServer::~RandomFileServer() {
  stop_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);  // accept returns
  thread_.join();
}

std::string RandomFileServer::digest() const {
  SeededRandom random{seed_};
  crypto::HashStream stream{crypto::HashAlgorithm::sha256};
  Bytes piece(piece_bytes);
  for (std::uint64_t left = bytes_; left != 0;) {
    const auto part = ByteSpan{piece}.first(std::min<std::uint64_t>(left, piece.size()));
    random.fill(part);
    stream.update(part);
    left -= part.size();
  }
  return to_hex(stream.finish().view());
}

void RandomFileServer::serve() {
  while (!stop_) {
    const Socket client{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (client.get() < 0) continue;
    bound_in_time(client);
    answer(client);
  }
}

void RandomFileServer::answer(const Socket& client) const {
  if (!receive_head(client)) return;
  const auto head = fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nConnection: "
      "close\r\n\r\n",
      bytes_);
  if (!send_all(client, as_bytes(head))) return;
  SeededRandom random{seed_};
  Bytes piece(piece_bytes);
  for (std::uint64_t left = bytes_; left != 0 && !stop_;) {
    const auto part = ByteSpan{piece}.first(std::min<std::uint64_t>(left, piece.size()));
    random.fill(part);
    if (!send_all(client, part)) return;
    left -= part.size();
  }
}

}  // namespace village::daemon
