#pragma once
// RecordCutter: records of one size out of a stream, whose bytes come in pieces of any length.
#include <algorithm>

#include "village/base/bytes.hpp"
#include "village/base/check.hpp"

namespace village::service {

/// RecordCutter keeps the part of a record that has come so far, and nothing else. Allocates once.
class RecordCutter {
 public:
  explicit RecordCutter(std::size_t record_bytes) : partial_(record_bytes) { VG_CHECK(record_bytes > 0); }

  /// cut calls take(ByteView record) -> bool for each record that `bytes` complete; a view dies with the
  /// call. false ends it: the rest of `bytes` is thrown away. Records that lie whole in `bytes` are not
  /// copied.
  template <class Take>
  void cut(ByteView bytes, Take&& take) {
    const auto size = partial_.size();
    while (!bytes.empty()) {
      if (have_ == 0 && bytes.size() >= size) {
        if (!take(bytes.first(size))) return;
        bytes = bytes.subspan(size);
        continue;
      }
      const auto part = bytes.first(std::min(bytes.size(), size - have_));
      std::copy(part.begin(), part.end(), partial_.begin() + static_cast<std::ptrdiff_t>(have_));
      bytes = bytes.subspan(part.size());
      have_ += part.size();
      if (have_ < size) return;
      have_ = 0;
      if (!take(ByteView{partial_})) return;
    }
  }
  /// reset forgets a part: another stream begins.
  void reset() { have_ = 0; }

 private:
  Bytes partial_;
  std::size_t have_ = 0;  // bytes of partial_, < its size
};

}  // namespace village::service
