#pragma once
// Memory that costs nothing until it is touched.
#include <cstdlib>
#include <memory>

#include "village/base/check.hpp"
#include "village/base/limits.hpp"

namespace village::mix {

/// ZeroedArea is `bytes` zero bytes that begin on a cache line. From calloc, not new: the system hands out
/// zeroed pages as they are touched, so that nobody waits for megabytes to be cleared, and what is never used
/// is not resident.
class ZeroedArea {
 public:
  explicit ZeroedArea(std::size_t bytes) : area_{std::calloc(bytes + village::limits::cache_line_bytes, 1)} {
    std::size_t room = bytes + village::limits::cache_line_bytes;
    start_ = area_.get();
    VG_CHECK(start_ != nullptr);
    std::align(village::limits::cache_line_bytes, bytes, start_, room);
  }
  void* get() const { return start_; }

 private:
  struct Free {
    void operator()(void* area) const { std::free(area); }
  };
  std::unique_ptr<void, Free> area_;
  void* start_;
};

}  // namespace village::mix
