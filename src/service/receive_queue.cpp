#include "service/receive_queue.hpp"

#include <algorithm>
#include <cstring>

#include "village/base/check.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {

void ReceiveQueue::append(ByteView data) {
  while (!data.empty()) {
    if (first_ == blocks_.size() || blocks_.back().room() == 0) {
      const bool little = empty() && data.size() <= limits::tunnel_queue_small_bytes;
      const auto bytes = little ? limits::tunnel_queue_small_bytes : limits::tunnel_queue_block_bytes;
      blocks_.push_back(Block{Buffer::lease(bytes), 0, 0});
    }
    auto& block = blocks_.back();
    const auto count = std::min(data.size(), block.room());
    std::memcpy(block.buffer.data() + block.end, data.data(), count);
    block.end += count;
    size_ += count;
    data = data.subspan(count);
  }
}

std::size_t ReceiveQueue::take(ByteSpan out) {
  std::size_t taken = 0;
  while (taken < out.size() && !empty()) {
    const auto source = front();
    const auto count = std::min(source.size(), out.size() - taken);
    std::memcpy(out.data() + taken, source.data(), count);
    taken += count;
    skip(count);
  }
  return taken;
}

ByteView ReceiveQueue::front() const {
  if (empty()) return {};
  const auto& block = blocks_[first_];
  return {block.buffer.data() + block.begin, block.end - block.begin};
}

void ReceiveQueue::skip(std::size_t bytes) {
  VG_CHECK(bytes <= size_);
  size_ -= bytes;
  while (bytes != 0) {
    auto& block = blocks_[first_];
    const auto count = std::min(bytes, block.end - block.begin);
    block.begin += count;
    bytes -= count;
    if (block.begin != block.end) break;
    block.buffer.release();
    ++first_;
  }
  if (size_ == 0) {
    clear();
  } else if (first_ >= 64 && first_ * 2 >= blocks_.size()) {  // forget the spent blocks now and then
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void ReceiveQueue::clear() {
  size_ = 0;
  first_ = 0;
  blocks_.clear();
  if (blocks_.capacity() > 16) blocks_.shrink_to_fit();
}

}  // namespace village::service
