// Plain builds interpose glibc's allocator for the whole program; sanitizer builds use the sanitizer's hooks.
#include "support/allocations.hpp"

#include <cerrno>
#include <cstddef>

#include "support/sanitizer.hpp"

#if VG_SANITIZER
// <sanitizer/allocator_interface.h>, which g++ 12's packages lack.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, std::size_t),
                                                         void (*on_free)(const volatile void*));
#endif

namespace {
thread_local std::uint64_t allocations = 0;
}

#if VG_SANITIZER
namespace {
const bool hooked [[maybe_unused]] =
    __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t) { ++allocations; },
                                              [](const volatile void*) {}) != 0;
}
#else
#define VG_EXPORT extern "C" __attribute__((visibility("default")))
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}
VG_EXPORT void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
VG_EXPORT void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
VG_EXPORT void* realloc(void* memory, std::size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
VG_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
VG_EXPORT int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  ++allocations;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
#endif

namespace village::test {
std::uint64_t allocation_count() { return allocations; }
}  // namespace village::test
