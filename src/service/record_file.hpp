#pragma once
// RecordFile: a file that only grows, record by record, and is now and then written anew.
//
//   0   a mark of 32 bytes, zeros behind its text: which file this is, and its version
//   32  records: length u32 | first 8 bytes of SHA-256(length | body) | body
//
// A record is one write(): kill -9 loses none that append returned for. Nothing is synced but a new file
// before it replaces the old one: a power cut may lose the last seconds (durability "os"). Reading ends at
// the first record that is cut or damaged; what stands behind it is dropped with it, because nothing says
// where the next one begins.
#include <functional>
#include <string>
#include <string_view>

#include "service/file_descriptor.hpp"
#include "village/base/bytes.hpp"
#include "village/base/error.hpp"

namespace village::service {

class RecordFile {
 public:
  using Read = std::function<void(ByteView body)>;
  using Write = std::function<Result<void>(ByteView body)>;
  /// Content writes all records that are still of use.
  using Content = std::function<Result<void>(const Write& write)>;

  RecordFile() = default;
  /// mark: at most 32 bytes, static storage. body_bytes_max: longer records are damage.
  RecordFile(std::string path, std::string_view mark, std::size_t body_bytes_max)
      : path_{std::move(path)}, mark_{mark}, body_bytes_max_{body_bytes_max} {}

  /// load reads what a former process left; a missing file is an empty one, one with another mark is refused
  /// (unsupported). Returns how many bytes of damage it dropped. The file is not open for append yet: rewrite
  /// it.
  Result<std::size_t> load(const Read& read) const;
  /// rewrite replaces the file. Errors: io (detail = errno): the former one stays.
  Result<void> rewrite(const Content& content);
  /// append writes one record. Errors: io: the file is as it was before; closed: it could not be kept so, and
  /// only a rewrite helps; limit_exceeded.
  Result<void> append(ByteView body);

  std::size_t bytes() const { return bytes_; }  ///< of the file
  static constexpr std::size_t overhead_bytes = 4 + 8;

 private:
  std::string path_;
  std::string_view mark_;
  std::size_t body_bytes_max_ = 0;
  FileDescriptor file_;
  std::size_t bytes_ = 0;
};

}  // namespace village::service
