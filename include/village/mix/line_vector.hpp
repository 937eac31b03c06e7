#pragma once
// Vectors that share no cache line with anything else, so that two workers whose memory the allocator put
// side by side do not write one line.
#include <cstddef>
#include <new>
#include <vector>

#include "village/base/limits.hpp"

namespace village::mix {

/// LineAllocator hands out whole cache lines.
template <class T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) {}  // NOLINT: a converting constructor is what allocators have

  T* allocate(std::size_t count) {
    constexpr auto line = village::limits::cache_line_bytes;
    return static_cast<T*>(
        ::operator new ((count * sizeof(T) + line - 1) / line * line, std::align_val_t{line}));
  }
  void deallocate(T* area, std::size_t) {
    ::operator delete (area, std::align_val_t{village::limits::cache_line_bytes});
  }
  template <class U>
  friend bool operator==(const LineAllocator&, const LineAllocator<U>&) {
    return true;
  }
};

template <class T>
using LineVector = std::vector<T, LineAllocator<T>>;

}  // namespace village::mix
