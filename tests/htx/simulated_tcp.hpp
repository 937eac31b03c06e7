#pragma once
// SimulatedPipe: one direction of a TCP connection on simulated time: bounded, late, slow, stalled, damaged
// or dead, but in order.
#include <algorithm>
#include <deque>
#include <optional>

#include "village/base/bytes.hpp"
#include "village/base/time.hpp"

namespace village::test {

/// PipeShape says what the network between two nodes is like.
struct PipeShape {
  std::size_t capacity = 65'536;             ///< bytes on their way and not read: both kernels' buffers
  Duration delay{0};                         ///< one way
  std::uint64_t bytes_per_second = 1 << 30;  ///< of the narrowest link
};

class SimulatedPipe {
 public:
  explicit SimulatedPipe(const PipeShape& shape) : shape_{shape} {}

  std::size_t room() const { return finished_ ? 0 : shape_.capacity - held_; }

  /// write takes what there is room for, at most `bytes`, and returns how much.
  std::size_t write(ByteView bytes, Instant now) {
    const auto count = std::min(bytes.size(), room());
    if (count == 0) return 0;
    // In pieces: what a slow link carries arrives bit by bit.
    const auto piece_max = std::clamp<std::size_t>(shape_.bytes_per_second / 4, 1'460, 65'536);
    link_free_at_ = std::max(link_free_at_, now);
    for (auto rest = bytes.first(count); !rest.empty();) {
      const auto piece = rest.first(std::min(rest.size(), piece_max));
      const auto seconds = static_cast<double>(piece.size()) / static_cast<double>(shape_.bytes_per_second);
      link_free_at_ += std::chrono::nanoseconds{static_cast<long>(seconds * 1e9)};
      segments_.push_back({link_free_at_ + shape_.delay, to_bytes(piece)});
      rest = rest.subspan(piece.size());
    }
    held_ += count;
    return count;
  }
  /// read gives what has arrived, at most out.size() bytes.
  std::size_t read(ByteSpan out, Instant now) {
    std::size_t count = 0;
    while (count < out.size() && readable(now)) {
      auto& segment = segments_.front();
      const auto piece = std::min(out.size() - count, segment.bytes.size() - taken_);
      std::copy_n(segment.bytes.begin() + static_cast<std::ptrdiff_t>(taken_), piece,
                  out.begin() + static_cast<std::ptrdiff_t>(count));
      count += piece;
      taken_ += piece;
      if (taken_ < segment.bytes.size()) break;
      segments_.pop_front();
      taken_ = 0;
    }
    held_ -= count;
    return count;
  }
  bool readable(Instant now) const {
    return !dead_ && now >= stalled_until_ && !segments_.empty() && segments_.front().arrival <= now;
  }
  /// ended: the other end's FIN is there, behind everything it wrote.
  bool ended(Instant now) const {
    return !dead_ && finished_ && segments_.empty() && now >= stalled_until_ && now >= fin_arrival_;
  }
  bool empty() const { return segments_.empty(); }
  /// next_arrival is when there will be something to read that is not there yet.
  std::optional<Instant> next_arrival(Instant now) const {
    if (dead_ || (segments_.empty() && !finished_) || readable(now) || ended(now)) return std::nullopt;
    return std::max(stalled_until_, segments_.empty() ? fin_arrival_ : segments_.front().arrival);
  }

  /// finish says FIN. Nothing is written afterwards.
  void finish(Instant now) {
    if (finished_) return;
    finished_ = true;
    fin_arrival_ = std::max(link_free_at_, now) + shape_.delay;
  }
  /// stall keeps everything on its way for `time`. Returns how long this stall, with those before, is in all.
  Duration stall(Instant now, Duration time) {
    if (now > stalled_until_) stalled_from_ = now;
    stalled_until_ = std::max(stalled_until_, now + time);
    return stalled_until_ - stalled_from_;
  }
  /// die lets nothing arrive any more, and nobody told.
  void die() { dead_ = true; }
  /// damage flips a bit of a byte on its way; false if there is none.
  bool damage(std::uint64_t choice) {
    const auto waiting = held_;
    if (waiting == 0) return false;
    auto at = taken_ + choice % waiting;
    for (auto& segment : segments_) {
      if (at < segment.bytes.size()) {
        segment.bytes[at] ^= static_cast<std::byte>(1U << (choice >> 40) % 8);
        return true;
      }
      at -= segment.bytes.size();
    }
    return false;
  }

 private:
  struct Segment {
    Instant arrival;
    Bytes bytes;
  };
  PipeShape shape_;
  std::deque<Segment> segments_;
  std::size_t taken_ = 0;  ///< of the first segment
  std::size_t held_ = 0;
  Instant link_free_at_{}, stalled_from_{}, stalled_until_{}, fin_arrival_{};
  bool finished_ = false, dead_ = false;
};

}  // namespace village::test
