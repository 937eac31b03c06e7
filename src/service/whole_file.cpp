#include "service/whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "service/file_descriptor.hpp"

namespace village::service {
namespace {

Error system_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

Result<void> write_full(int file, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return system_error();
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ok();
}

}  // namespace

Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file) return errno == ENOENT ? fail(Errc::not_found) : system_error();
  std::string out;
  char block[65'536];
  for (;;) {
    const auto size = ::read(file.get(), block, sizeof block);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error();
    if (size == 0) return out;
    out.append(block, static_cast<std::size_t>(size));
    if (out.size() > bytes_max) return fail(Errc::limit_exceeded);
  }
}

Result<void> replace_whole_file(const std::string& path, std::string_view content) {
  const auto temporary = path + ".new";
  ::unlink(temporary.c_str());
  const FileDescriptor file{
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return system_error();
  auto written = write_full(file.get(), content);
  if (written && (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)) {
    written = system_error();
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  const auto folder = path.substr(0, path.rfind('/') + 1) + ".";
  const FileDescriptor parent{::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY)};
  if (parent) (void)::fsync(parent.get());
  return ok();
}

}  // namespace village::service
