#include "service/buffer_pool.hpp"

#include <array>
#include <vector>

#include "village/service/tunnel_limits.hpp"

namespace village::service {
namespace {

// One free list for each size in use; other sizes go straight to the heap.
struct FreeList {
  std::size_t bytes;
  std::size_t kept_max;
  std::vector<std::unique_ptr<std::byte[]>> kept;
};

thread_local bool pool_gone =
    false;  // trivially destroyed: still readable when a thread's statics are torn down

struct Pool {
  std::array<FreeList, 2> lists{
      FreeList{limits::tunnel_io_buffer_bytes, limits::tunnel_io_buffers_kept_max, {}},
      FreeList{limits::tunnel_queue_block_bytes, limits::tunnel_queue_blocks_kept_max, {}}};
  Pool() {
    for (auto& list : lists) list.kept.reserve(list.kept_max);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { pool_gone = true; }
  FreeList* find(std::size_t bytes) {
    for (auto& list : lists) {
      if (list.bytes == bytes) return &list;
    }
    return nullptr;
  }
};
thread_local Pool pool;

}  // namespace

Buffer Buffer::lease(std::size_t bytes) {
  Buffer buffer;
  buffer.size_ = bytes;
  auto* list = pool_gone ? nullptr : pool.find(bytes);
  if (list != nullptr && !list->kept.empty()) {
    buffer.memory_ = std::move(list->kept.back());
    list->kept.pop_back();
  } else {
    buffer.memory_.reset(new std::byte[bytes]);
  }
  return buffer;
}

void Buffer::release() noexcept {
  if (!memory_) return;
  auto* list = pool_gone ? nullptr : pool.find(size_);
  if (list != nullptr && list->kept.size() < list->kept_max) {
    list->kept.push_back(std::move(memory_));
  } else {
    memory_.reset();
  }
  size_ = 0;
}

}  // namespace village::service
