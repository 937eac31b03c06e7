#include "village/base/check.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace village {
namespace {
std::atomic<std::uint64_t> bugs{0};
std::atomic<std::int64_t> next_report_s{0};
std::atomic<bool> aborting{false};
}  // namespace

std::uint64_t bug_count() { return bugs.load(std::memory_order_relaxed); }
void abort_on_bug(bool on) { aborting.store(on, std::memory_order_relaxed); }

namespace detail {

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "villaged: broken invariant: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

void bug_seen(const char* expression, const char* file, int line) {
  bugs.fetch_add(1, std::memory_order_relaxed);
  if (aborting.load(std::memory_order_relaxed)) check_failed(expression, file, line);
  const auto now_s = static_cast<std::int64_t>(std::time(nullptr));
  auto due_s = next_report_s.load(std::memory_order_relaxed);
  if (now_s >= due_s && next_report_s.compare_exchange_strong(due_s, now_s + 60)) {
    std::fprintf(stderr, "villaged: unexpected: not (%s) at %s:%d\n", expression, file, line);
  }
}

}  // namespace detail
}  // namespace village
