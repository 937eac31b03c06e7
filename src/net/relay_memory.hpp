#pragma once
// What relays of one core share: buffers and splice pipes, taken while bytes move and given back when they do
// not.
#include <cstddef>
#include <memory>
#include <utility>

#include "village/base/bytes.hpp"

namespace village::net {

/// RelayBuffer is borrowed memory, by the relay and by TLS; its end gives it back to the pool of the thread
/// it ends on.
class RelayBuffer {
 public:
  RelayBuffer() = default;
  /// take gives `bytes`, or 4 KiB when this core has limits::relay_buffers_max in use.
  static RelayBuffer take(std::size_t bytes);
  /// take_exactly gives `bytes` whatever is in use; for memory that each connection may hold once.
  static RelayBuffer take_exactly(std::size_t bytes);
  RelayBuffer(RelayBuffer&& other) noexcept
      : memory_{std::move(other.memory_)}, size_{std::exchange(other.size_, 0)} {}
  RelayBuffer& operator=(RelayBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~RelayBuffer();
  ByteSpan span() const { return {memory_.get(), size_}; }
  /// in_use is the number of buffers borrowed from this thread's pool.
  static std::size_t in_use();

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t size_ = 0;
};

/// SplicePipe is a borrowed pipe, empty when taken and when given back; one that is not empty is closed
/// instead.
class SplicePipe {
 public:
  SplicePipe() = default;
  /// take gives a pipe of at least 64 KiB, or an invalid one when limits::relay_pipes_max are in use on this
  /// core or the system gives none.
  static SplicePipe take();
  SplicePipe(SplicePipe&& other) noexcept
      : read_{std::exchange(other.read_, -1)},
        write_{std::exchange(other.write_, -1)},
        size_{std::exchange(other.size_, 0)},
        filled_{std::exchange(other.filled_, 0)} {}
  SplicePipe& operator=(SplicePipe&&) = delete;
  ~SplicePipe();
  bool valid() const { return read_ >= 0; }
  std::size_t filled() const { return filled_; }

  /// fill moves bytes from a socket into the pipe; 0 = FIN, negative = -errno.
  std::ptrdiff_t fill(int socket);
  /// empty moves bytes from the pipe to a socket; negative = -errno.
  std::ptrdiff_t empty(int socket);

 private:
  int read_ = -1;
  int write_ = -1;
  std::size_t size_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace village::net
