#pragma once
// Buffers of fixed sizes that a core takes and gives back all day: socket buffers and blocks of receive
// queues.
#include <cstddef>
#include <memory>
#include <utility>

#include "village/base/bytes.hpp"

namespace village::service {

/// Buffer is one leased piece of memory (not cleared); it goes back to the free list of the thread that drops
/// it.
class Buffer {
 public:
  Buffer() = default;
  /// lease takes `bytes` of memory, from this thread's free list if there is one for this size. O(1).
  static Buffer lease(std::size_t bytes);
  Buffer(Buffer&& other) noexcept : memory_{std::move(other.memory_)}, size_{std::exchange(other.size_, 0)} {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      memory_ = std::move(other.memory_);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~Buffer() { release(); }

  void release() noexcept;
  explicit operator bool() const { return memory_ != nullptr; }
  std::size_t size() const { return size_; }
  std::byte* data() { return memory_.get(); }
  const std::byte* data() const { return memory_.get(); }
  ByteSpan span() { return {memory_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t size_ = 0;
};

}  // namespace village::service
