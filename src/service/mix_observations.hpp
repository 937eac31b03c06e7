#pragma once
// MixObservations: what a node writes down of its own loops for `villaged mix audit`.
//
//   FOLDER/observations.jsonl       one object a line: {"epoch", "hops": [{"node", "tag", "wish_ns"}],
//   "total_ns"} FOLDER/observations.old.jsonl   the file before it; both together keep within the bound
#include <string>

#include "service/file_descriptor.hpp"
#include "service/mix_loops.hpp"

namespace village::service {

class MixObservations {
 public:
  MixObservations(std::string folder, std::uint64_t bytes_max);
  /// write appends a loop that came back. Errors: io (detail = errno); the next call tries again.
  Result<void> write(const MixLoops::Observed& loop);
  static std::string text(const MixLoops::Observed& loop);

 private:
  Result<void> open();
  std::string path_, old_path_;
  std::uint64_t bytes_max_, bytes_ = 0;
  FileDescriptor file_;
};

}  // namespace village::service
