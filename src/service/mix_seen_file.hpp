#pragma once
// MixSeenFile: ids of messages received, so that none is handed to its user twice, over restarts too.
//
// Bodies of the records (record_file.hpp): message id 16 | until u64 (seconds since 1970) | delivery
// proof 16; the id of zeros stands for those that are forgotten. An id is written before the message's
// deliveries are confirmed to the gateway. Written anew when most of it has expired.
#include <string>

#include "service/record_file.hpp"
#include "village/mix/client.hpp"
#include "village/mix/seen_messages.hpp"

namespace village::service {

class MixSeenFile {
 public:
  MixSeenFile() = default;

  /// open gives the client what a former process wrote and is not over yet, then begins a clean file. Before
  /// any delivery. Errors: io, unsupported (another file).
  static Result<MixSeenFile> open(std::string path, mix::Client& client, mix::Moment now,
                                  std::size_t* dropped = nullptr);
  /// append writes one id, with the proof that `seen` has of it: `seen` holds it already; the file is written
  /// anew from it when that is worth it. Errors: io, closed.
  Result<void> append(const mix::SeenMessage& message, const mix::SeenMessages& seen);

  std::size_t bytes() const { return file_.bytes(); }

 private:
  Result<void> rewrite(const mix::SeenMessages& seen);

  RecordFile file_;
  std::size_t rewrite_at_ = 0;
};

}  // namespace village::service
