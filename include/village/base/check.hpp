#pragma once
// Checks on our own invariants. Never on what a peer, a user or the disk can do: those are Results.
#include <cstdint>

namespace village::detail {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
void bug_seen(const char* expression, const char* file, int line);
}  // namespace village::detail

namespace village {
/// bug_count is the number of doubtful invariants seen false since start (metric villaged_base_bugs_total).
std::uint64_t bug_count();
/// abort_on_bug makes VG_BUG_IF_NOT abort; test programs switch it on.
void abort_on_bug(bool on);
}  // namespace village

/// VG_CHECK(x): a broken invariant of our own ends the process, in every build.
#define VG_CHECK(expression)                          \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? void(0)                                      \
       : ::village::detail::check_failed(#expression, __FILE__, __LINE__))

/// VG_DCHECK(x): the same for checks that cost more than a branch; debug builds only.
#ifdef NDEBUG
#define VG_DCHECK(expression) void(0)
#else
#define VG_DCHECK(expression) VG_CHECK(expression)
#endif

/// VG_EXPECT(x): a doubtful invariant: counted when false, logged at most once a minute, the program goes on.
/// Its value is that of the expression, so: `if (!VG_EXPECT(x)) return ...;`
#define VG_EXPECT(expression)                            \
  (__builtin_expect(static_cast<bool>(expression), 1) || \
   (::village::detail::bug_seen(#expression, __FILE__, __LINE__), false))
