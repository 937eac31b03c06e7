// Whether this build watches its memory: some measurements of memory mean nothing there.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VG_SANITIZER 1
#elif defined(__has_feature)
#define VG_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define VG_SANITIZER 0
#endif

namespace village::test {

/// under_sanitizer says that AddressSanitizer or ThreadSanitizer owns the heap: allocators are theirs, freed
/// memory is kept, and the address space holds terabytes of shadow.
inline constexpr bool under_sanitizer = VG_SANITIZER != 0;

}  // namespace village::test
