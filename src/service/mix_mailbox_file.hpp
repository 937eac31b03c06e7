#pragma once
// MixMailboxFile: a gateway's mailboxes on disk, so that kill -9 loses nothing that was taken over.
//
// Bodies of the records (record_file.hpp):
//   1 stored       : client 20 | sequence u64 | stored at u64 (ns since 1970) | identifier 16 | payload
//   2 acknowledged : client 20 | sequence u64
//   3 last         : client 20 | sequence u64: the highest one used so far; when the file is written anew
//
// Written anew when more than half of it and 16 MiB are of no use any more. Durability "os"
// (record_file.hpp).
#include <string>

#include "service/record_file.hpp"
#include "village/mix/mailbox.hpp"

namespace village::service {

class MixMailboxFile {
 public:
  MixMailboxFile() = default;

  /// open puts what a former process left into `mailbox`, for the clients that it serves already; others'
  /// mail is dropped. Then begins a clean file. `dropped`: bytes of damage. Errors: io, unsupported (another
  /// file).
  static Result<MixMailboxFile> open(std::string path, mix::Mailbox& mailbox, mix::Moment now,
                                     std::size_t* dropped = nullptr);

  /// stored writes a message that `mailbox` has just taken. On an error the message is not durable: take it
  /// out again (acknowledge) and drop the packet. Errors: io, closed.
  Result<void> stored(const wire::NodeId& client, const mix::Mailbox::Message& message,
                      const mix::Mailbox& mailbox);
  /// acknowledged writes that a message is gone. After an error it may come again after a restart.
  Result<void> acknowledged(const wire::NodeId& client, std::uint64_t sequence, const mix::Mailbox& mailbox);
  /// shrink writes the file anew if it is worth it; after expiry.
  Result<void> shrink(const mix::Mailbox& mailbox);

  std::size_t bytes() const { return file_.bytes(); }

 private:
  Result<void> append(ByteView body, const mix::Mailbox& mailbox);
  Result<void> rewrite(const mix::Mailbox& mailbox);

  RecordFile file_;
  std::size_t rewrite_at_ = 0;
};

}  // namespace village::service
