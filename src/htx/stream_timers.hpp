#pragma once
// StreamTimers: when a stream is to be looked at next, for the few that need it, in a heap that knows where
// each stream stands in it. A stream without a timer pays four bytes.
#include <utility>
#include <vector>

#include "htx/stream.hpp"

namespace village::htx {

class StreamTimers {
 public:
  bool empty() const { return heap_.empty(); }
  Instant due() const { return heap_.front().due; }
  Stream& front() const { return *heap_.front().stream; }

  /// set makes `due` the stream's instant, whether it had one or not. O(log n).
  void set(Stream& stream, Instant due) {
    if (stream.timer == no_timer) {
      stream.timer = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back({due, &stream});
    } else {
      heap_[stream.timer].due = due;
    }
    settle(stream.timer);
  }
  void cancel(Stream& stream) {
    if (stream.timer == no_timer) return;
    const std::size_t at = std::exchange(stream.timer, no_timer);
    const Entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    place(at, last);
    settle(at);
  }
  void shrink() {
    if (heap_.empty()) heap_ = {};
  }

 private:
  struct Entry {
    Instant due;
    Stream* stream;
  };
  void place(std::size_t at, const Entry& entry) {
    heap_[at] = entry;
    entry.stream->timer = static_cast<std::uint32_t>(at);
  }
  /// settle moves the entry at `at` to where its instant belongs.
  void settle(std::size_t at) {
    const Entry entry = heap_[at];
    while (at > 0 && entry.due < heap_[(at - 1) / 2].due) {
      place(at, heap_[(at - 1) / 2]);
      at = (at - 1) / 2;
    }
    for (;;) {
      auto child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1].due < heap_[child].due) ++child;
      if (entry.due <= heap_[child].due) break;
      place(at, heap_[child]);
      at = child;
    }
    place(at, entry);
  }
  std::vector<Entry> heap_;
};

}  // namespace village::htx
