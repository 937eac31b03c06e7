#pragma once
// ReceiveQueue: the bytes of one stream that arrived before anybody read them, bounded by the credit given
// out.
#include <cstddef>
#include <vector>

#include "service/buffer_pool.hpp"
#include "village/base/bytes.hpp"

namespace village::service {

/// ReceiveQueue keeps bytes in blocks: one of 2 KiB while little waits, then pooled ones. An empty queue owns
/// nothing.
class ReceiveQueue {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// append copies `data` behind what is there.
  void append(ByteView data);
  /// take moves up to out.size() bytes into `out` and returns how many.
  std::size_t take(ByteSpan out);
  /// front views the first contiguous bytes: at least the first 2 KiB of what was appended since it was last
  /// empty.
  ByteView front() const;
  /// skip drops the first `bytes`, at most size().
  void skip(std::size_t bytes);
  void clear();

 private:
  struct Block {
    Buffer buffer;
    std::size_t begin = 0, end = 0;
    std::size_t room() const { return buffer.size() - end; }
  };
  std::vector<Block> blocks_;  // from `first_` on; short: credit / block size
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace village::service
