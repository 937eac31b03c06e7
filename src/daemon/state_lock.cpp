#include "daemon/state_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

namespace village::daemon {
namespace {

Error io_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

std::uint64_t holder_pid(int file) {
  std::array<char, 32> text{};
  const auto size = ::pread(file, text.data(), text.size(), 0);
  std::uint64_t pid = 0;
  if (size > 0) std::from_chars(text.data(), text.data() + size, pid);
  return pid;
}

}  // namespace

StateLock::StateLock(StateLock&& other) noexcept : file_{std::exchange(other.file_, -1)} {}

// The file stays: removing it would let a third process lock a new one while the second waits on the old.
StateLock::~StateLock() {
  if (file_ >= 0) ::close(file_);
}

Result<StateLock> StateLock::acquire(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return io_error();
  const int file = ::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return io_error();
  StateLock lock{file};
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(Errc::already_exists, holder_pid(file));
    return io_error();
  }
  const auto text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, text.data(), text.size(), 0) < 0) return io_error();
  return lock;
}

}  // namespace village::daemon
