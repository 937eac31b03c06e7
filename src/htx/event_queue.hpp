#pragma once
// EventQueue: what waits for poll_event, in a ring that keeps its memory. 24 bytes for each event.
#include <cstdint>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/time.hpp"
#include "village/htx/types.hpp"

namespace village::htx {

enum class EventKind : std::uint8_t {
  opened,
  data,
  datagram,
  finished,
  reset,     ///< by the peer
  given_up,  ///< reset by the session itself
  writable,
  pong,
  ready,
  closed,
};

struct QueuedEvent {
  EventKind kind;
  Code code = Code::ok;
  StreamId stream = 0;
  const std::byte* data = nullptr;
  std::uint64_t number = 0;  ///< bytes of data or reason, nanoseconds of a pong, stream limit
};

/// EventQueue grows to what one receive() brings (at most three events for each frame of 38 bytes).
class EventQueue {
 public:
  void push(const QueuedEvent& event) {
    if (count_ == ring_.size()) grow();
    ring_[(first_ + count_++) & (ring_.size() - 1)] = event;
  }
  bool empty() const { return count_ == 0; }
  QueuedEvent pop() {
    const auto event = ring_[first_];
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
    return event;
  }
  /// shrink frees the ring's memory if it is empty.
  void shrink() {
    if (count_ != 0) return;
    ring_ = {};
    first_ = 0;
  }

 private:
  void grow() {
    std::vector<QueuedEvent> larger(ring_.empty() ? 16 : ring_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = ring_[(first_ + i) & (ring_.size() - 1)];
    ring_ = std::move(larger);
    first_ = 0;
  }
  std::vector<QueuedEvent> ring_;  ///< size is a power of two
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace village::htx
