#pragma once
// StateLock: one daemon per state directory. The kernel drops the lock with the process, however it ends.
#include <optional>
#include <string>

#include "village/base/error.hpp"

namespace village::daemon {

class StateLock {
 public:
  StateLock(StateLock&& other) noexcept;
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();
  /// acquire makes `directory` (0700) if it is not there, locks `directory`/lock and writes our pid into it.
  /// Errors: already_exists (detail = pid of the holder, 0 = unknown), io (detail = errno).
  static Result<StateLock> acquire(const std::string& directory);

 private:
  explicit StateLock(int file) : file_{file} {}
  int file_;
};

}  // namespace village::daemon
