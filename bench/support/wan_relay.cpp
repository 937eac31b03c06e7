#include "support/wan_relay.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <deque>
#include <vector>

#include "support/report.hpp"

namespace village::bench {
namespace {

/// Direction carries bytes from one socket to the other.
class Direction {
 public:
  Direction(int from, int to, const WanRelay::Line& line)
      : from_{from}, to_{to}, line_{line}, room_(65'536) {}

  bool wants_read(std::uint64_t now) const { return !ended_ && free_at_ <= now + buffer_ns(); }
  bool wants_write(std::uint64_t now) const { return !pieces_.empty() && pieces_.front().due <= now; }
  /// wake is when something falls due, if nothing else happens.
  std::uint64_t wake(std::uint64_t now) const {
    std::uint64_t when = now + 50'000'000;
    if (!pieces_.empty()) when = std::min(when, pieces_.front().due);
    if (!ended_ && free_at_ > now + buffer_ns()) when = std::min(when, free_at_ - buffer_ns());
    return std::max(when, now);
  }
  void read(std::uint64_t now) {
    const auto got = ::recv(from_, room_.data(), room_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      ended_ = true;
      return;
    }
    const auto size = static_cast<std::size_t>(got);
    // The line is busy with each byte for its time; a piece of 4 KiB leaves when its last byte has passed.
    for (std::size_t at = 0; at < size; at += 4096) {
      const auto part = std::min<std::size_t>(4096, size - at);
      free_at_ = std::max(free_at_, now) +
                 static_cast<std::uint64_t>(static_cast<double>(part) * 1e9 / line_.bytes_per_s);
      pieces_.push_back({free_at_ + static_cast<std::uint64_t>(line_.delay.count()),
                         {room_.begin() + static_cast<std::ptrdiff_t>(at),
                          room_.begin() + static_cast<std::ptrdiff_t>(at + part)}});
    }
  }
  void write(std::uint64_t now) {
    while (wants_write(now)) {
      auto& piece = pieces_.front();
      const auto sent =
          ::send(to_, piece.bytes.data() + sent_, piece.bytes.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) return;
      sent_ += static_cast<std::size_t>(sent);
      if (sent_ < piece.bytes.size()) return;
      sent_ = 0;
      pieces_.pop_front();
    }
  }
  bool over() const { return ended_ && pieces_.empty(); }
  int from() const { return from_; }
  int to() const { return to_; }

 private:
  struct Piece {
    std::uint64_t due;
    std::vector<char> bytes;
  };
  std::uint64_t buffer_ns() const {
    return static_cast<std::uint64_t>(static_cast<double>(line_.buffer_bytes) * 1e9 / line_.bytes_per_s);
  }
  int from_, to_;
  const WanRelay::Line& line_;
  std::vector<char> room_;
  std::deque<Piece> pieces_;
  std::size_t sent_ = 0;
  std::uint64_t free_at_ = 0;
  bool ended_ = false;
};

}  // namespace

WanRelay::WanRelay(std::uint16_t target, const Line& line) : line_{line}, target_{target} {
  auto [listener, port] = listen_tcp({"cubic"});
  listener_ = std::move(listener);
  port_ = port;
  thread_ = std::thread{[this] { run(); }};
}

WanRelay::~WanRelay() {
  stop_ = true;
  thread_.join();
}

void WanRelay::run() {
  pollfd waiting{listener_.fd(), POLLIN, 0};
  while (!stop_ && ::poll(&waiting, 1, 50) == 0) {
  }
  if (stop_) return;
  const auto near = accept_tcp(listener_);
  const auto far = dial_tcp(target_, {"cubic"});
  Direction out{near.fd(), far.fd(), line_}, back{far.fd(), near.fd(), line_};
  while (!stop_ && !(out.over() && back.over())) {
    auto now = now_ns();
    // A socket that is due but full is polled for room; one without work is not polled at all.
    const auto events = [now](const Direction& reads, const Direction& writes) {
      return static_cast<short>((reads.wants_read(now) ? POLLIN : 0) |
                                (writes.wants_write(now) ? POLLOUT : 0));
    };
    pollfd sockets[2] = {{near.fd(), events(out, back), 0}, {far.fd(), events(back, out), 0}};
    const auto wake = std::min(out.wants_write(now) ? now + 50'000'000 : out.wake(now),
                               back.wants_write(now) ? now + 50'000'000 : back.wake(now));
    const timespec wait{static_cast<time_t>((wake - now) / 1'000'000'000),
                        static_cast<long>((wake - now) % 1'000'000'000)};
    ::ppoll(sockets, 2, &wait, nullptr);
    now = now_ns();
    if (sockets[0].revents != 0 && out.wants_read(now)) out.read(now);
    if (sockets[1].revents != 0 && back.wants_read(now)) back.read(now);
    out.write(now);
    back.write(now);
  }
}

}  // namespace village::bench
