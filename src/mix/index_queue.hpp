#pragma once
// A bounded queue of numbers in memory taken once.
#include <bit>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/mix/line_vector.hpp"

namespace village::mix {

/// IndexQueue is first in, first out. One thread.
class IndexQueue {
 public:
  explicit IndexQueue(std::size_t capacity) : items_(std::bit_ceil(capacity)) {}
  bool empty() const { return head_ == tail_; }
  std::size_t size() const { return tail_ - head_; }
  void push(std::uint32_t item) {
    VG_CHECK(size() < items_.size());
    items_[tail_++ & (items_.size() - 1)] = item;
  }
  std::uint32_t front() const { return items_[head_ & (items_.size() - 1)]; }
  std::uint32_t pop() {
    VG_DCHECK(!empty());
    return items_[head_++ & (items_.size() - 1)];
  }

 private:
  LineVector<std::uint32_t> items_;
  std::size_t head_ = 0, tail_ = 0;
};

}  // namespace village::mix
