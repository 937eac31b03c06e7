#include "village/service/replay_log.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "service/file_descriptor.hpp"
#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"
#include "village/wire/writer.hpp"

namespace village::service {
namespace {

constexpr std::string_view file_mark = "villaged replay log 1";
constexpr std::size_t head_bytes = 4'096;
constexpr std::size_t named_bytes = 80, checksum_bytes = 16;
constexpr std::size_t boot_offset = named_bytes + checksum_bytes, boot_bytes = 48;
constexpr std::size_t pieces_offset = boot_offset + boot_bytes, closed_offset = pieces_offset + 8;

Error system_error(int number) { return fail(Errc::io, static_cast<std::uint64_t>(number)); }

ByteArray<named_bytes> named_part(const ReplayLogName& name) {
  ByteArray<named_bytes> raw{};
  wire::Writer writer{raw};
  writer.text(file_mark);
  writer.zeros(32 - file_mark.size());
  writer.u64(name.epoch);
  writer.bytes(name.key);
  writer.u32(name.shard);
  writer.u32(name.shards);
  return raw;
}

ByteArray<boot_bytes> boot_part(const std::string& boot) {
  ByteArray<boot_bytes> raw{};
  std::ranges::copy(as_bytes(boot).first(std::min(boot.size(), raw.size())), raw.begin());
  return raw;
}

std::uint64_t read_u64(const std::byte* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
void write_u64(std::byte* at, std::uint64_t value) { std::memcpy(at, &value, sizeof value); }

/// sync_name makes the name of a new file survive a power cut: without its file a key that was in use would
/// look as if it had opened nothing.
void sync_name(const std::string& path) {
  const auto folder = path.substr(0, path.rfind('/') + 1) + ".";
  const FileDescriptor parent{::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY)};
  if (parent) (void)::fsync(parent.get());
}

std::byte* map(int file, std::size_t offset, std::size_t bytes) {
  void* area = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, static_cast<off_t>(offset));
  return area == MAP_FAILED ? nullptr : static_cast<std::byte*>(area);
}

}  // namespace

std::string boot_id() {
  const FileDescriptor file{::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
  char text[36];
  if (!file || ::read(file.get(), text, sizeof text) != static_cast<ssize_t>(sizeof text)) return {};
  return {text, sizeof text};
}

ReplayLogFile::ReplayLogFile(int file, std::size_t piece_tags) : file_{file}, piece_tags_{piece_tags} {}

ReplayLogFile::~ReplayLogFile() {
  for (auto* piece : pieces_) ::munmap(piece, piece_bytes());
  if (head_ != nullptr) ::munmap(head_, head_bytes);
  ::close(file_);
}

Result<std::shared_ptr<ReplayLogFile>> ReplayLogFile::open(
    const std::string& path, const ReplayLogName& name, const std::string& boot,
    const std::function<void(std::span<const mix::Fingerprint>)>& restored, std::size_t piece_tags) {
  VG_CHECK(piece_tags > 0 && piece_tags * sizeof(mix::Fingerprint) % head_bytes == 0);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (file < 0) return system_error(errno);
  std::shared_ptr<ReplayLogFile> log{new ReplayLogFile{file, piece_tags}};
  struct ::stat status {};
  if (::fstat(file, &status) != 0) return system_error(errno);
  if (!S_ISREG(status.st_mode)) return Error{Errc::malformed};
  const bool fresh = status.st_size == 0;
  if (fresh) {
    if (const int failed = ::posix_fallocate(file, 0, head_bytes); failed != 0) {
      ::unlink(path.c_str());
      return system_error(failed);
    }
  } else if (static_cast<std::size_t>(status.st_size) < head_bytes) {
    return Error{Errc::malformed};
  }
  log->head_ = map(file, 0, head_bytes);
  if (log->head_ == nullptr) return system_error(errno);
  if (!fresh) VG_TRY_VOID(log->restore(name, boot, restored));
  auto begun = log->begin(name, boot);
  if (!begun && fresh) ::unlink(path.c_str());
  if (!begun) return begun.error();
  if (fresh) sync_name(path);
  return log;
}

/// begin makes the log this boot's, with room for at least one tag, and syncs that: from here on a power cut
/// is an unclean end.
Result<void> ReplayLogFile::begin(const ReplayLogName& name, const std::string& boot) {
  if (current_ == nullptr || in_current_ == piece_tags_) {
    VG_TRY_VOID(extend());
    current_ = prepared_.exchange(nullptr);
    in_current_ = 0;
  }
  const auto named = named_part(name);
  std::ranges::copy(named, head_);
  std::ranges::copy(ByteView{crypto::sha256(named)}.first(checksum_bytes), head_ + named_bytes);
  std::ranges::copy(boot_part(boot), head_ + boot_offset);
  write_u64(head_ + closed_offset, 0);
  if (::fsync(file_) != 0) return system_error(errno);
  return ok();
}

Result<void> ReplayLogFile::restore(const ReplayLogName& name, const std::string& boot,
                                    const std::function<void(std::span<const mix::Fingerprint>)>& restored) {
  const auto named = named_part(name);
  const auto checksum = crypto::sha256(named);
  if (std::memcmp(head_, named.data(), named.size()) != 0 ||
      std::memcmp(head_ + named_bytes, checksum.data(), checksum_bytes) != 0) {
    return Error{Errc::malformed};
  }
  const bool same_boot =
      !boot.empty() && std::memcmp(head_ + boot_offset, boot_part(boot).data(), boot_bytes) == 0;
  if (!same_boot && read_u64(head_ + closed_offset) != 1) return Error{Errc::auth_failed};
  const auto count = read_u64(head_ + pieces_offset);
  struct ::stat status {};
  if (::fstat(file_, &status) != 0) return system_error(errno);
  const auto room = (static_cast<std::size_t>(status.st_size) - head_bytes) / piece_bytes();
  if (count == 0 || count > room) return Error{Errc::malformed};
  for (std::size_t i = 0; i < count; ++i) {
    VG_TRY(piece, map_piece(i));
    const std::span tags{piece, piece_tags_};
    const auto end = std::ranges::find(tags, 0U);
    const auto used = static_cast<std::size_t>(end - tags.begin());
    // Tags are stored one behind the other: behind a free place there is none.
    const bool open_before = current_ != nullptr && in_current_ < piece_tags_;
    if (std::any_of(end, tags.end(), [](auto tag) { return tag != 0; })) return Error{Errc::malformed};
    if (open_before && used > 0) return Error{Errc::malformed};
    if (used > 0) restored(tags.first(used));
    size_ += used;
    if (open_before) {
      prepared_ = piece;
      if (i + 1 != count) return Error{Errc::malformed};
    } else {
      current_ = piece;
      in_current_ = used;
    }
  }
  return ok();
}

Result<std::uint64_t*> ReplayLogFile::map_piece(std::size_t number) {
  auto* area = map(file_, head_bytes + number * piece_bytes(), piece_bytes());
  if (area == nullptr) return system_error(errno);
  pieces_.push_back(reinterpret_cast<std::uint64_t*>(area));
  return pieces_.back();
}

Result<void> ReplayLogFile::extend() {
  const std::lock_guard lock{extending_};
  if (prepared_.load() != nullptr) return ok();
  const auto offset = head_bytes + pieces_.size() * piece_bytes();
  if (const int failed =
          ::posix_fallocate(file_, static_cast<off_t>(offset), static_cast<off_t>(piece_bytes()));
      failed != 0) {
    return system_error(failed);
  }
  VG_TRY(piece, map_piece(pieces_.size()));
  write_u64(head_ + pieces_offset, pieces_.size());
  prepared_.store(piece);
  return ok();
}

bool ReplayLogFile::append(std::span<const mix::Fingerprint> tags) {
  for (const auto tag : tags) {
    if (in_current_ == piece_tags_) {
      if (prepared_.load() == nullptr && !extend()) return false;
      current_ = prepared_.exchange(nullptr);
      in_current_ = 0;
    }
    // A plain store would do; the compiler must not put it off behind the packet's release.
    std::atomic_ref{current_[in_current_++]}.store(tag, std::memory_order_release);
  }
  size_.store(size_.load(std::memory_order_relaxed) + tags.size(), std::memory_order_relaxed);
  return true;
}

Result<void> ReplayLogFile::maintain() {
  Result<void> extended = ok();
  std::size_t room;
  {
    const std::lock_guard lock{extending_};
    room = pieces_.size() * piece_tags_;
  }
  if (size() + piece_tags_ / 2 >= room) extended = extend();
  if (::fdatasync(file_) != 0) return system_error(errno);
  return extended;
}

Result<void> ReplayLogFile::close() {
  if (std::exchange(closed_, true)) return ok();
  if (::fdatasync(file_) != 0) return system_error(errno);
  write_u64(head_ + closed_offset, 1);
  if (::fdatasync(file_) != 0) return system_error(errno);
  return ok();
}

ReplayKeeper::ReplayKeeper() : thread_{[this](std::stop_token stop) { work(stop); }} {}
ReplayKeeper::~ReplayKeeper() = default;

void ReplayKeeper::add(std::weak_ptr<ReplayLogFile> log) {
  const std::lock_guard lock{mutex_};
  std::erase_if(logs_, [](const auto& other) { return other.expired(); });
  logs_.push_back(std::move(log));
}

void ReplayKeeper::work(std::stop_token stop) {
  std::mutex sleeping;
  std::condition_variable_any wake;
  while (!stop.stop_requested()) {
    std::unique_lock lock{sleeping};
    wake.wait_for(lock, stop, std::chrono::seconds{1}, [] { return false; });
    std::vector<std::weak_ptr<ReplayLogFile>> logs;
    {
      const std::lock_guard copying{mutex_};
      logs = logs_;
    }
    for (const auto& weak : logs) {
      const auto log = weak.lock();
      if (log != nullptr && !log->maintain()) failures_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace village::service
