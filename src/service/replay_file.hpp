#pragma once
// ReplayFile: accepted tickets on disk, so that none opens the door again after a restart.
//
//   0   "villaged ticket replays 1", zeros up to 32 | u64 stale hour
//   40  entries of 40 bytes: tag 32 | u64 hour
//
// An entry is written by one write() before the ticket's 101 leaves: kill -9 loses none. It is not synced:
// a power cut may lose the last seconds (durability "os"), which a thief of tickets cannot bring about. What
// stands behind the last whole entry is dropped when the file is read.
#include <string>

#include "service/file_descriptor.hpp"
#include "village/base/error.hpp"
#include "village/htx/ticket_replays.hpp"

namespace village::service {

class ReplayFile {
 public:
  ReplayFile() = default;

  /// open reads what a former process left into `replays` and begins a clean file. A missing file is an
  /// empty one. Errors: io (detail = errno): then nothing is kept on disk.
  static Result<ReplayFile> open(std::string path, htx::TicketReplays& replays, std::uint64_t hour);

  /// append writes one entry. When the file holds twice what is of use it is written anew from `replays`,
  /// which hold the entry already. Errors: io; the file is as it was before.
  Result<void> append(const htx::ReplayEntry& entry, const htx::TicketReplays& replays);

  /// rewrite puts a new file with all of `replays` in its place. Errors: io; the file is as it was before.
  Result<void> rewrite(const htx::TicketReplays& replays);

  std::size_t entries() const { return entries_; }

 private:
  std::string path_;
  FileDescriptor file_;
  std::size_t entries_ = 0;
  std::size_t rewrite_at_ = 0;
};

}  // namespace village::service
