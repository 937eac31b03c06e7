#pragma once
// Inbox: bytes of a stream that were read and not used yet. What a handshake does not take stays here.
#include <algorithm>
#include <cstring>
#include <memory>

#include "village/base/check.hpp"
#include "village/net/stream.hpp"

namespace village::service {

/// Inbox holds no memory while it is empty and waits (streams that can tell when they are readable).
class Inbox {
 public:
  bool empty() const { return begin_ == end_; }
  ByteView view() const { return {memory_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t count) {
    VG_CHECK(count <= end_ - begin_);
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// release gives the memory back; only when empty.
  void release() {
    VG_CHECK(empty());
    memory_.reset();
    capacity_ = 0;
  }

  /// fill reads once, behind what is there, up to `bytes_max`. 0 = the peer has finished. Errors as
  /// read_some.
  net::Task<std::size_t> fill(net::Stream& stream, std::size_t bytes_max) {
    if (empty()) {
      release();
      const auto readable = co_await stream.wait_readable();
      if (!readable && readable.error().code != Errc::unsupported) co_return readable.error();
    }
    reserve(bytes_max);
    const auto read = co_await stream.read_some(ByteSpan{memory_.get() + end_, bytes_max});
    if (read) end_ += *read;
    co_return read;
  }

 private:
  void reserve(std::size_t more) {
    if (capacity_ - end_ >= more) return;
    const auto size = end_ - begin_;
    auto memory = std::make_unique_for_overwrite<std::byte[]>(size + more);
    if (size > 0) std::memcpy(memory.get(), memory_.get() + begin_, size);
    memory_ = std::move(memory);
    capacity_ = size + more;
    begin_ = 0;
    end_ = size;
  }

  std::unique_ptr<std::byte[]> memory_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace village::service
