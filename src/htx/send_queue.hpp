#pragma once
// SendQueue: the unsent bytes of one stream, in pooled blocks. A frame is sealed straight out of the first
// block, so data is copied once, when it is queued. A stream with nothing to send owns no block.
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "htx/fetch_ahead.hpp"
#include "village/base/bytes.hpp"

namespace village::htx {

/// Block is a piece of memory with a filled range [begin, end). Its data follows the header.
struct Block {
  Block* next;
  std::uint32_t capacity, begin, end;
  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
};

/// BlockPool keeps free blocks of four sizes for reuse, at most limits::pooled_bytes_max, one pool for each
/// thread. When it is full, blocks of the size that holds the most go first.
class BlockPool {
 public:
  static BlockPool& local();
  /// take gives an empty block for `bytes` of data or more (at most 65,536). Amortised O(1); allocates only
  /// when the pool is empty.
  Block* take(std::size_t bytes);
  void give(Block* block);
  std::size_t pooled_bytes() const { return pooled_bytes_; }
  /// trim frees pooled blocks until at most `bytes` are left.
  void trim(std::size_t bytes = 0);
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool() { trim(); }

 private:
  static constexpr std::uint32_t sizes[] = {1'024, 2'048, 16'384, 65'536};
  static constexpr std::size_t ranks = std::size(sizes);
  struct List {
    Block* first = nullptr;
    std::size_t bytes = 0;
  };
  static std::size_t rank_of(std::size_t bytes);
  void release(List& list);

  List free_[ranks];
  std::size_t pooled_bytes_ = 0;
};

class SendQueue {
 public:
  SendQueue() = default;
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;
  ~SendQueue() { clear(); }

  /// push copies `data` behind what is there. Blocks hold `block_bytes`, except a small one for a small first
  /// piece.
  void push(ByteView data, std::size_t block_bytes);
  /// front is the first contiguous piece; empty if the queue is.
  ByteView front() const {
    return head_ == nullptr ? ByteView{} : ByteView{head_->data() + head_->begin, head_->end - head_->begin};
  }
  /// prefetch asks for the memory that front() and pop() will touch.
  void prefetch() const {
    if (head_ != nullptr) fetch_ahead(head_, sizeof(Block) + ahead_bytes);
  }
  /// pop drops `bytes` of front().
  void pop(std::size_t bytes);
  void clear();
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr std::size_t ahead_bytes = 1'024;  ///< of a longer block the CPU foresees the rest
  Block* head_ = nullptr;
  Block* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace village::htx
