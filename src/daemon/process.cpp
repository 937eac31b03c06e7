#include "daemon/process.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace village::daemon {
namespace {
constexpr int arenas_max = 2;               ///< each costs address space and keeps its own free lists
constexpr int mmap_threshold = 128 * 1024;  ///< fixed: glibc else lets it grow and keeps big blocks for good
constexpr int trim_threshold = 256 * 1024;
Error io_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }
}  // namespace

Result<void> forbid_core_dumps() {
  const rlimit none{0, 0};
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return io_error();
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return io_error();
  return ok();
}

void tune_memory() {
  ::mallopt(M_ARENA_MAX, arenas_max);
  ::mallopt(M_MMAP_THRESHOLD, mmap_threshold);
  ::mallopt(M_TRIM_THRESHOLD, trim_threshold);
}

std::string errno_text(std::uint32_t number) {
  return std::generic_category().message(static_cast<int>(number));
}

std::string describe(const Error& error) {
  if (error.code == Errc::io) return fmt::format("{} ({})", name(error.code), errno_text(error.detail));
  return std::string{name(error.code)};
}

}  // namespace village::daemon
