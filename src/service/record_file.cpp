#include "service/record_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::service {
namespace {

constexpr std::size_t mark_bytes = 32, sum_bytes = 8;
constexpr std::size_t block_bytes = 256 * 1024;

Error system_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

Result<std::size_t> read_full(int file, ByteSpan out) {
  std::size_t size = 0;
  while (size < out.size()) {
    const auto count = ::read(file, out.data() + size, out.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error();
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  return size;
}

Result<void> write_full(int file, ByteView data) {
  while (!data.empty()) {
    const auto count = ::write(file, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return system_error();
    data = data.subspan(static_cast<std::size_t>(count));
  }
  return ok();
}

ByteArray<mark_bytes> mark_of(std::string_view text) {
  VG_CHECK(text.size() <= mark_bytes);
  ByteArray<mark_bytes> mark{};
  std::ranges::copy(as_bytes(text), mark.begin());
  return mark;
}

ByteArray<4 + sum_bytes> head_of(ByteView body) {
  ByteArray<4 + sum_bytes> head;
  wire::Writer writer{head};
  writer.u32(static_cast<std::uint32_t>(body.size()));
  const auto sum = crypto::sha256({ByteView{head}.first(4), body});
  writer.bytes(ByteView{sum}.first(sum_bytes));
  return head;
}

}  // namespace

Result<std::size_t> RecordFile::load(const Read& read) const {
  const FileDescriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!file) {
    if (errno == ENOENT) return std::size_t{0};
    return system_error();
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return system_error();
  ByteArray<mark_bytes> mark{};
  VG_TRY(mark_size, read_full(file.get(), mark));
  if (mark_size == 0) return std::size_t{0};
  if (mark != mark_of(mark_)) return fail(Errc::unsupported);
  std::size_t good = mark_bytes;
  Bytes buffer(std::max(block_bytes, 2 * (body_bytes_max_ + overhead_bytes)));
  std::size_t have = 0;
  for (bool more = true; more;) {
    VG_TRY(count, read_full(file.get(), ByteSpan{buffer}.subspan(have)));
    have += count;
    more = have == buffer.size();
    wire::Reader reader{ByteView{buffer}.first(have)};
    while (reader.remaining() >= overhead_bytes) {
      auto ahead = reader;
      const std::size_t size = ahead.u32().value();
      const auto sum = ahead.bytes(sum_bytes).value();
      if (size > body_bytes_max_) return static_cast<std::size_t>(status.st_size) - good;
      const auto body = ahead.bytes(size);
      if (!body) break;
      if (!std::ranges::equal(ByteView{head_of(*body)}.subspan(4), sum)) {
        return static_cast<std::size_t>(status.st_size) - good;
      }
      read(*body);
      good += overhead_bytes + size;
      reader = ahead;
    }
    const auto rest = reader.rest();
    std::copy(rest.begin(), rest.end(), buffer.begin());
    have = rest.size();
  }
  return have;
}

Result<void> RecordFile::rewrite(const Content& content) {
  const auto temporary = path_ + ".new";
  ::unlink(temporary.c_str());
  FileDescriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return system_error();
  Bytes block = to_bytes(mark_of(mark_));
  std::size_t bytes = block.size();
  const auto flush = [&]() -> Result<void> {
    const auto written = write_full(file.get(), block);
    block.clear();
    return written;
  };
  const auto write = [&](ByteView body) -> Result<void> {
    if (body.size() > body_bytes_max_) return fail(Errc::limit_exceeded);
    const auto head = head_of(body);
    block.insert(block.end(), head.begin(), head.end());
    block.insert(block.end(), body.begin(), body.end());
    bytes += head.size() + body.size();
    return block.size() < block_bytes ? ok() : flush();
  };
  auto written = content(write);
  if (written) written = flush();
  if (written && (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path_.c_str()) != 0)) {
    written = system_error();
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  file_ = std::move(file);
  bytes_ = bytes;
  return ok();
}

Result<void> RecordFile::append(ByteView body) {
  if (!file_) return fail(Errc::closed);
  if (body.size() > body_bytes_max_) return fail(Errc::limit_exceeded);
  const auto head = head_of(body);
  Bytes record;
  record.reserve(head.size() + body.size());
  record.insert(record.end(), head.begin(), head.end());
  record.insert(record.end(), body.begin(), body.end());
  const auto written = write_full(file_.get(), record);
  if (!written) {
    // A part of a record would take all that follow with it.
    const auto whole = static_cast<off_t>(bytes_);
    if (::ftruncate(file_.get(), whole) != 0 || ::lseek(file_.get(), whole, SEEK_SET) != whole) file_ = {};
    return written;
  }
  bytes_ += record.size();
  return ok();
}

}  // namespace village::service
