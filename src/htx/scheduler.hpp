#pragma once
// Scheduler: whose data goes next. Three classes of streams, each a ring served by deficit round robin
// (Shreedhar and Varghese 1995): a stream's turn adds one quantum, the largest chunk, to its deficit, and it
// sends until that is used up, so streams of a class share by bytes whatever the size of their frames.
//
// A lower class goes first. But a class that others were preferred to for `patience` quanta gets one quantum,
// so bulk keeps at least 1/17 of the line under any load of the classes above. Every decision is O(1).
#include <array>

#include "htx/credit.hpp"
#include "htx/fetch_ahead.hpp"
#include "htx/stream.hpp"

namespace village::htx {

class Scheduler {
 public:
  explicit Scheduler(std::uint32_t quantum) : quantum_{quantum} {}

  /// place puts the stream into the ring where it belongs now (data and credit, FIN alone, none).
  void place(Stream& stream) {
    const auto number = belongs(stream);
    if (number == stream.ring_number) return;
    withdraw(stream);
    if (number == ring_none) return;
    stream.ring_number = number;
    rings_[number].push_back(stream);
  }
  /// withdraw takes the stream out of its ring; its deficit is lost.
  void withdraw(Stream& stream) {
    if (stream.ring_number == ring_none) return;
    rings_[stream.ring_number].remove(stream);
    stream.ring_number = ring_none;
    stream.deficit = 0;
  }
  /// next is the stream to serve, or nullptr if there is none or the connection's credit does not allow it.
  Stream* next(const SendCredit& connection) const {
    if (!rings_[ring_fin].empty()) return rings_[ring_fin].front();
    for (std::size_t i = priorities; i-- > 1;) {
      if (passed_over_[i] >= patience * quantum_ && allowed(i, connection)) return rings_[i].front();
    }
    for (std::size_t i = 0; i < priorities; ++i) {
      if (allowed(i, connection)) return rings_[i].front();
    }
    return nullptr;
  }
  /// prefetch asks for the memory of those whose turn comes behind `stream`, one step ahead of need: with
  /// 100,000 streams each of them has left the caches since its last turn.
  static void prefetch(const Stream& stream) {
    const Stream* const next = stream.ring.next;
    if (next == nullptr || next == &stream) return;
    next->queue.prefetch();  // its own lines were asked for a step ago
    fetch_ahead(next->ring.next, stream_frame_bytes);
  }
  /// sent accounts for `bytes` of data from `stream`, the one next() gave, and moves the turn on. The
  /// stream's queue and credit are already what they are after sending.
  void sent(Stream& stream, std::uint32_t bytes) {
    const auto number = stream.ring_number;
    if (number < priorities) {
      passed_over_[number] = 0;
      for (std::size_t i = number + 1U; i < priorities; ++i) {
        passed_over_[i] = rings_[i].empty() ? 0 : passed_over_[i] + bytes;
      }
    }
    if (belongs(stream) != number) return place(stream);
    if (stream.deficit == 0) stream.deficit = quantum_;  // its turn began with this frame
    stream.deficit -= std::min(stream.deficit, bytes);
    if (stream.deficit >= std::min<std::size_t>(stream.queue.front().size(), quantum_)) return;
    stream.deficit += quantum_;
    rings_[number].rotate();
  }

 private:
  static constexpr std::uint64_t patience = 16;

  std::uint8_t belongs(const Stream& stream) const {
    if (stream.queue.empty()) return stream.fin_queued && !stream.fin_sent ? ring_fin : ring_none;
    if (!worth_sending(stream.credit.left(), stream.queue.size(), quantum_)) return ring_none;
    return static_cast<std::uint8_t>(stream.priority);
  }
  bool allowed(std::size_t number, const SendCredit& connection) const {
    const auto& ring = rings_[number];
    return !ring.empty() && worth_sending(connection.left(), ring.front()->queue.size(), quantum_);
  }

  std::array<StreamRing, priorities + 1> rings_;
  std::array<std::uint64_t, priorities> passed_over_{};
  std::uint32_t quantum_;
};

}  // namespace village::htx
