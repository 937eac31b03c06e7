// The C allocator's entry points, wrapped: glibc keeps its own under __libc_ names for exactly this use.
#include "support/allocations.hpp"

#include <malloc.h>

#include <atomic>
#include <cerrno>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
}

namespace village::bench {
namespace {

std::atomic<std::uint64_t> count{0}, frees{0}, bytes{0};
std::atomic<std::int64_t> live{0}, peak{0};
thread_local std::atomic<std::uint64_t> own{0};  // written by its thread only

void* taken(void* memory, std::size_t size) {
  if (memory == nullptr) return nullptr;
  count.fetch_add(1, std::memory_order_relaxed);
  own.store(own.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  bytes.fetch_add(size, std::memory_order_relaxed);
  const auto usable = static_cast<std::int64_t>(malloc_usable_size(memory));
  const auto now = live.fetch_add(usable, std::memory_order_relaxed) + usable;
  if (now > peak.load(std::memory_order_relaxed)) peak.store(now, std::memory_order_relaxed);
  return memory;
}

void given_back(void* memory) {
  if (memory == nullptr) return;
  frees.fetch_add(1, std::memory_order_relaxed);
  live.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(memory)), std::memory_order_relaxed);
}

}  // namespace

Allocations allocations() { return {count.load(), frees.load(), bytes.load(), live.load(), peak.load()}; }
const std::atomic<std::uint64_t>& own_allocations() { return own; }
void reset_peak() { peak.store(live.load()); }

}  // namespace village::bench

extern "C" {

void* malloc(std::size_t size) { return village::bench::taken(__libc_malloc(size), size); }
void* calloc(std::size_t n, std::size_t size) {
  return village::bench::taken(__libc_calloc(n, size), n * size);
}
void* realloc(void* memory, std::size_t size) {
  village::bench::given_back(memory);
  return village::bench::taken(__libc_realloc(memory, size), size);
}
void free(void* memory) {
  village::bench::given_back(memory);
  __libc_free(memory);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return village::bench::taken(__libc_memalign(alignment, size), size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  return village::bench::taken(__libc_memalign(alignment, size), size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  void* memory = village::bench::taken(__libc_memalign(alignment, size), size);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}

}  // extern "C"
