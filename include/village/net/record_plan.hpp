#pragma once
// RecordPlan: how large the TLS records of a connection are to be.
#include <cstddef>

#include "village/base/time.hpp"

namespace village::net {

class RecordPlan {
 public:
  virtual ~RecordPlan() = default;
  /// next is the plaintext size of the next record, 1 to 16,384; the last of a write may be shorter.
  virtual std::size_t next(Instant now) = 0;
  /// wrote tells how large it became.
  virtual void wrote(std::size_t bytes) = 0;
};

}  // namespace village::net
