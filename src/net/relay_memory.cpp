#include "net/relay_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "net/metrics.hpp"
#include "village/net/limits.hpp"

namespace village::net {
namespace {

constexpr std::size_t small_buffer_bytes = 4'096;
constexpr std::size_t pipes_kept = 8;
constexpr std::size_t pipe_bytes_min =
    64 * 1024;  // what the kernel gives without asking; less is slower than copying

struct IdlePipe {
  int read, write;
  std::size_t size;
};

/// Pool is one thread's. Counts are signed: at the very end another thread may give back what it did not
/// take.
struct Pool {
  using Blocks = std::vector<std::unique_ptr<std::byte[]>>;
  Blocks buffers;  ///< of limits::relay_buffer_bytes
  Blocks batches;  ///< of limits::tls_batch_bytes
  /// kept gives the idle blocks of that size, null if none of that size are kept.
  Blocks* kept(std::size_t bytes) {
    if (bytes == limits::relay_buffer_bytes) return &buffers;
    return bytes == limits::tls_batch_bytes ? &batches : nullptr;
  }
  std::ptrdiff_t buffers_used = 0;
  std::vector<IdlePipe> pipes;
  std::ptrdiff_t pipes_used = 0;

  ~Pool() {
    for (const auto& pipe : pipes) {
      ::close(pipe.read);
      ::close(pipe.write);
    }
  }
};

Pool& pool() {
  thread_local Pool instance;
  return instance;
}

}  // namespace

RelayBuffer RelayBuffer::take(std::size_t bytes) {
  if (pool().buffers_used < static_cast<std::ptrdiff_t>(limits::relay_buffers_max))
    return take_exactly(bytes);
  metric::relay_small_buffers.add();
  return take_exactly(small_buffer_bytes);
}

RelayBuffer RelayBuffer::take_exactly(std::size_t bytes) {
  auto& mine = pool();
  RelayBuffer buffer;
  if (auto* kept = mine.kept(bytes); kept != nullptr && !kept->empty()) {
    buffer.memory_ = std::move(kept->back());
    kept->pop_back();
  } else {
    buffer.memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
  }
  buffer.size_ = bytes;
  ++mine.buffers_used;
  return buffer;
}

RelayBuffer::~RelayBuffer() {
  if (!memory_) return;
  auto& mine = pool();
  --mine.buffers_used;
  auto* kept = mine.kept(size_);
  if (kept != nullptr && kept->size() * size_ < limits::relay_bytes_kept) kept->push_back(std::move(memory_));
}

std::size_t RelayBuffer::in_use() {
  const auto used = pool().buffers_used;
  return used > 0 ? static_cast<std::size_t>(used) : 0;
}

SplicePipe SplicePipe::take() {
  auto& mine = pool();
  SplicePipe pipe;
  if (mine.pipes_used >= static_cast<std::ptrdiff_t>(limits::relay_pipes_max)) return pipe;
  if (!mine.pipes.empty()) {
    const auto idle = mine.pipes.back();
    mine.pipes.pop_back();
    pipe.read_ = idle.read;
    pipe.write_ = idle.write;
    pipe.size_ = idle.size;
    ++mine.pipes_used;
    return pipe;
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return pipe;
  (void)::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(limits::relay_pipe_bytes));
  const int size = ::fcntl(ends[1], F_GETPIPE_SZ);
  if (size < static_cast<int>(pipe_bytes_min)) {  // the user's pipe quota is spent
    ::close(ends[0]);
    ::close(ends[1]);
    return pipe;
  }
  pipe.read_ = ends[0];
  pipe.write_ = ends[1];
  pipe.size_ = static_cast<std::size_t>(size);
  ++mine.pipes_used;
  return pipe;
}

SplicePipe::~SplicePipe() {
  if (!valid()) return;
  auto& mine = pool();
  --mine.pipes_used;
  if (filled_ == 0 && mine.pipes.size() < pipes_kept) {
    mine.pipes.push_back({read_, write_, size_});
    return;
  }
  ::close(read_);
  ::close(write_);
}

std::ptrdiff_t SplicePipe::fill(int socket) {
  const auto moved = ::splice(socket, nullptr, write_, nullptr, size_, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (moved < 0) return -errno;
  filled_ += static_cast<std::size_t>(moved);
  return moved;
}

std::ptrdiff_t SplicePipe::empty(int socket) {
  const auto moved = ::splice(read_, nullptr, socket, nullptr, filled_, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (moved < 0) return -errno;
  filled_ -= static_cast<std::size_t>(moved);
  return moved;
}

}  // namespace village::net
