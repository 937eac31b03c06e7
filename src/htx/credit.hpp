#pragma once
// Credit: what a sender may still send, and the window that a receiver keeps open. Source: htx.md section 5.
#include <algorithm>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/base/time.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {

/// SendCredit is the number of data bytes that the peer still takes, for a stream or for the connection.
class SendCredit {
 public:
  explicit SendCredit(std::uint32_t start) : left_{start} {}
  std::uint32_t left() const { return left_; }
  /// add takes a WINDOW_UPDATE. false: the sum would exceed 2^31 - 1, a violation by the peer.
  [[nodiscard]] bool add(std::uint32_t credit) {
    if (credit > limits::credit_max - left_) return false;
    left_ += credit;
    return true;
  }
  void take(std::uint32_t bytes) {
    VG_CHECK(bytes <= left_);
    left_ -= bytes;
  }

 private:
  std::uint32_t left_;
};

/// sendable is how much of `want` bytes may go now.
inline std::uint32_t sendable(std::uint64_t want, const SendCredit& connection, const SendCredit& stream) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>({want, connection.left(), stream.left()}));
}

/// worth_sending is the rule against silly windows: credit for less than 1 KiB (or a chunk) waits for more,
/// unless it is enough for all that waits.
inline bool worth_sending(std::uint32_t credit, std::size_t waiting, std::uint32_t chunk) {
  return credit >= std::min(chunk, limits::silly_window_bytes) || (credit > 0 && credit >= waiting);
}

/// ReceiveWindow counts data received, read by the application, and granted to the peer. Offsets are from the
/// start, so what waits unread is received - consumed and what the peer may still send is granted - received.
class ReceiveWindow {
 public:
  ReceiveWindow(std::uint32_t start, Instant now) : granted_{start}, grant_time_{now}, window_{start} {}

  /// receive counts data. false: more than was granted.
  [[nodiscard]] bool receive(std::uint32_t bytes) {
    if (bytes > granted_ - received_) return false;
    received_ += bytes;
    return true;
  }
  /// consume counts bytes that the application is done with (at most those unread) and returns the credit to
  /// send now: nothing before half the window is consumed. If that took less than two round trips, the window
  /// doubles.
  std::uint32_t consume(std::uint64_t bytes, Instant now, Duration rtt, std::uint32_t window_max) {
    consumed_ += std::min(bytes, unread());
    if (granted_ - consumed_ > window_ / 2) return 0;
    if (now - grant_time_ < 2 * rtt) window_ = std::max(window_, grown(window_max));
    return grant(now);
  }
  /// raise enlarges the window to at least `window` and returns the credit to send for it.
  std::uint32_t raise(std::uint32_t window, Instant now) {
    if (window <= window_) return 0;
    window_ = window;
    return grant(now);
  }
  /// grown is the next size of the window.
  std::uint32_t grown(std::uint32_t window_max) const {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{window_} * 2, window_max));
  }

  std::uint64_t received() const { return received_; }
  std::uint64_t unread() const { return received_ - consumed_; }
  std::uint64_t granted() const { return granted_; }
  std::uint32_t window() const { return window_; }

 private:
  std::uint32_t grant(Instant now) {
    const auto target = consumed_ + window_;
    if (target <= granted_) return 0;
    const auto credit = static_cast<std::uint32_t>(target - granted_);
    granted_ = target;
    grant_time_ = now;
    return credit;
  }
  std::uint64_t received_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t granted_;
  Instant grant_time_;
  std::uint32_t window_;
};

}  // namespace village::htx
