#include "htx/datagram_queue.hpp"

#include <algorithm>
#include <cstring>

#include "village/base/check.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {

bool DatagramQueue::push(Stream& stream, ByteView head, ByteView data) {
  const auto size = head.size() + data.size();
  if (stream.datagram_bytes + size > limits::stream_datagram_bytes_max) return false;
  const auto needed = charge(size);
  if (bytes_ + needed > limits::session_datagram_bytes_max) return false;
  if (tail_ == nullptr || tail_->capacity - tail_->end < needed) {
    constexpr std::size_t usual_block_bytes = 16'384;
    Block* const block = BlockPool::local().take(std::max(needed, usual_block_bytes));
    (tail_ == nullptr ? head_ : tail_->next) = block;
    tail_ = block;
  }
  const Record record{&stream, size};
  auto* to = tail_->data() + tail_->end;
  std::memcpy(to, &record, sizeof record);
  to += sizeof record;
  if (!head.empty()) std::memcpy(to, head.data(), head.size());
  if (!data.empty()) std::memcpy(to + head.size(), data.data(), data.size());
  tail_->end += static_cast<std::uint32_t>(needed);
  bytes_ += needed;
  stream.datagram_bytes += static_cast<std::uint32_t>(size);
  return true;
}

DatagramQueue::Record DatagramQueue::record() const {
  Record record;
  std::memcpy(&record, head_->data() + head_->begin, sizeof record);
  return record;
}

ByteView DatagramQueue::front() const {
  return {head_->data() + head_->begin + sizeof(Record), record().bytes};
}

void DatagramQueue::pop() {
  const auto gone = record();
  gone.stream->datagram_bytes -= static_cast<std::uint32_t>(gone.bytes);
  advance();
  skip_forgotten();
}

void DatagramQueue::advance() {
  const auto size = charge(record().bytes);
  bytes_ -= size;
  head_->begin += static_cast<std::uint32_t>(size);
  if (head_->begin != head_->end) return;
  Block* const block = head_;
  head_ = block->next;
  if (head_ == nullptr) tail_ = nullptr;
  BlockPool::local().give(block);
}

void DatagramQueue::skip_forgotten() {
  while (head_ != nullptr && record().stream == nullptr) advance();
}

void DatagramQueue::forget(Stream& stream) {
  if (stream.datagram_bytes == 0) return;
  stream.datagram_bytes = 0;
  for (Block* block = head_; block != nullptr; block = block->next) {
    for (auto at = block->begin; at != block->end;) {
      Record record;
      std::memcpy(&record, block->data() + at, sizeof record);
      if (record.stream == &stream) {
        record.stream = nullptr;
        std::memcpy(block->data() + at, &record, sizeof record);
      }
      at += static_cast<std::uint32_t>(charge(record.bytes));
    }
  }
  skip_forgotten();
}

void DatagramQueue::clear() {
  while (head_ != nullptr) {
    Block* const block = head_;
    head_ = block->next;
    BlockPool::local().give(block);
  }
  tail_ = nullptr;
  bytes_ = 0;
}

}  // namespace village::htx
