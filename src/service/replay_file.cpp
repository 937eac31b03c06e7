#include "service/replay_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "village/service/tunnel_limits.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::service {
namespace {

constexpr std::string_view file_mark = "villaged ticket replays 1";
constexpr std::size_t entry_bytes = 40;
constexpr std::size_t block_entries = 1'024;

Error system_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

/// read_full reads until the buffer is full or the file ends.
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

void put_entry(wire::Writer& writer, const htx::ReplayEntry& entry) {
  writer.bytes(entry.tag);
  writer.u64(entry.hour);
}

/// restore takes over one entry as far as it can still be of use. Hours to come count too: a machine without
/// a battery starts in 1970, and gets its time, and with it the tickets' hours, later.
void restore(wire::Reader& reader, htx::TicketReplays& replays, std::uint64_t hour) {
  htx::ReplayEntry entry;
  if (!reader.fill(entry.tag)) return;
  entry.hour = reader.u64().value();
  if (entry.hour > limits::replay_hour_max) return;
  if (entry.hour + 1 < hour) return replays.raise_stale_hour(entry.hour);
  (void)replays.take(entry);
}

Result<void> load(int file, htx::TicketReplays& replays, std::uint64_t hour) {
  ByteArray<entry_bytes * block_entries> block;
  const auto head = ByteSpan{block}.first(entry_bytes);
  VG_TRY(head_size, read_full(file, head));
  if (head_size < entry_bytes) return ok();
  wire::Reader head_reader{ByteView{head}.subspan(32)};
  const auto stale_hour = head_reader.u64().value();
  const bool marked = as_text(head).starts_with(file_mark);
  // With a damaged head the entries behind it are still worth reading.
  if (marked && stale_hour <= hour + limits::replay_hours_ahead_max) replays.raise_stale_hour(stale_hour);
  for (std::size_t blocks = 0; blocks < limits::replay_file_entries_max / block_entries + 1; ++blocks) {
    VG_TRY(size, read_full(file, block));
    wire::Reader reader{ByteView{block}.first(size - size % entry_bytes)};
    while (!reader.at_end()) restore(reader, replays, hour);
    if (size < block.size()) break;
  }
  return ok();
}

}  // namespace

Result<ReplayFile> ReplayFile::open(std::string path, htx::TicketReplays& replays, std::uint64_t hour) {
  {
    const FileDescriptor former{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (!former && errno != ENOENT) return system_error();
    // A smaller replays_max refuses new tickets; it forgets none that were accepted.
    const auto entries_max = replays.entries_max();
    replays.set_entries_max(std::max(entries_max, limits::replay_file_entries_max));
    const auto loaded = former ? load(former.get(), replays, hour) : ok();
    replays.set_entries_max(entries_max);
    if (!loaded) return loaded.error();
  }
  ReplayFile file;
  file.path_ = std::move(path);
  VG_TRY_VOID(file.rewrite(replays));
  return file;
}

Result<void> ReplayFile::append(const htx::ReplayEntry& entry, const htx::TicketReplays& replays) {
  if (!file_) return fail(Errc::closed);
  if (entries_ >= std::max(rewrite_at_, 2 * replays.entries().size())) {
    const auto rewritten = rewrite(replays);
    if (rewritten || entries_ >= limits::replay_file_entries_max) return rewritten;
    rewrite_at_ = entries_ + limits::replay_file_entries_min;  // a full disk: not again for each ticket
  }
  ByteArray<entry_bytes> raw;
  wire::Writer writer{raw};
  put_entry(writer, entry);
  const auto written = write_full(file_.get(), raw);
  if (!written) {
    // A part of an entry would shift all that follow.
    const auto whole = static_cast<off_t>((1 + entries_) * entry_bytes);
    if (::ftruncate(file_.get(), whole) != 0 || ::lseek(file_.get(), whole, SEEK_SET) != whole) file_ = {};
    return written;
  }
  ++entries_;
  return ok();
}

Result<void> ReplayFile::rewrite(const htx::TicketReplays& replays) {
  const auto temporary = path_ + ".new";
  ::unlink(temporary.c_str());
  FileDescriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return system_error();
  Bytes block;
  const auto& entries = replays.entries();
  wire::Writer writer{block, entry_bytes * (1 + entries.size())};
  writer.text(file_mark);
  writer.zeros(32 - file_mark.size());
  writer.u64(replays.stale_hour());
  for (const auto& entry : entries) put_entry(writer, entry);
  auto written = write_full(file.get(), block);
  if (written && (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path_.c_str()) != 0)) {
    written = system_error();
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  file_ = std::move(file);
  entries_ = entries.size();
  rewrite_at_ = limits::replay_file_entries_min;
  return ok();
}

}  // namespace village::service
