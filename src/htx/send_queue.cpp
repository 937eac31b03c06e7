#include "htx/send_queue.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "village/base/check.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {

BlockPool& BlockPool::local() {
  thread_local BlockPool pool;
  return pool;
}

std::size_t BlockPool::rank_of(std::size_t bytes) {
  std::size_t rank = 0;
  while (rank + 1 < ranks && sizes[rank] < bytes) ++rank;
  return rank;
}

Block* BlockPool::take(std::size_t bytes) {
  const auto rank = rank_of(bytes);
  Block* block = free_[rank].first;
  if (block != nullptr) {
    free_[rank].first = block->next;
    free_[rank].bytes -= sizes[rank];
    pooled_bytes_ -= sizes[rank];
  } else {
    block = new (::operator new(sizeof(Block) + sizes[rank])) Block;
    block->capacity = sizes[rank];
  }
  block->next = nullptr;
  block->begin = block->end = 0;
  return block;
}

void BlockPool::give(Block* block) {
  auto& list = free_[rank_of(block->capacity)];
  while (pooled_bytes_ + block->capacity > limits::pooled_bytes_max) {
    auto& fullest = *std::max_element(std::begin(free_), std::end(free_),
                                      [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
    if (&fullest == &list) return ::operator delete(block);
    release(fullest);
  }
  block->next = list.first;
  list.first = block;
  list.bytes += block->capacity;
  pooled_bytes_ += block->capacity;
}

void BlockPool::release(List& list) {
  Block* const block = list.first;
  list.first = block->next;
  list.bytes -= block->capacity;
  pooled_bytes_ -= block->capacity;
  ::operator delete(block);
}

void BlockPool::trim(std::size_t bytes) {
  for (auto& list : free_) {
    while (list.first != nullptr && pooled_bytes_ > bytes) release(list);
  }
}

namespace {
/// room_of is how much of a block is filled: never more than a frame takes, so that no crumbs are left.
std::size_t room_of(const Block& block, std::size_t block_bytes) {
  return std::min<std::size_t>(block.capacity, block_bytes);
}
}  // namespace

void SendQueue::push(ByteView data, std::size_t block_bytes) {
  size_ += data.size();
  while (!data.empty()) {
    if (tail_ == nullptr || tail_->end == room_of(*tail_, block_bytes)) {
      Block* const block =
          BlockPool::local().take(tail_ == nullptr ? std::min(data.size(), block_bytes) : block_bytes);
      (tail_ == nullptr ? head_ : tail_->next) = block;
      tail_ = block;
    }
    const auto count = std::min(data.size(), room_of(*tail_, block_bytes) - tail_->end);
    std::memcpy(tail_->data() + tail_->end, data.data(), count);
    tail_->end += static_cast<std::uint32_t>(count);
    data = data.subspan(count);
  }
}

void SendQueue::pop(std::size_t bytes) {
  VG_CHECK(bytes <= front().size());
  size_ -= bytes;
  if (head_ == nullptr) return;
  head_->begin += static_cast<std::uint32_t>(bytes);
  if (head_->begin != head_->end) return;
  Block* const block = head_;
  head_ = block->next;
  if (head_ == nullptr) tail_ = nullptr;
  BlockPool::local().give(block);
}

void SendQueue::clear() {
  while (head_ != nullptr) {
    Block* const block = head_;
    head_ = block->next;
    BlockPool::local().give(block);
  }
  tail_ = nullptr;
  size_ = 0;
}

}  // namespace village::htx
