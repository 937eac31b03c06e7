#include "control/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

namespace village::control {
namespace {

std::string because(const std::string& what, const std::string& path) {
  return what + " " + path + ": " + std::generic_category().message(errno);
}

/// Descriptor closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_{fd} {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// sync_directory makes a new name durable; file systems that cannot do it are no reason to fail.
void sync_directory(const std::string& directory) {
  const Descriptor folder{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.open()) ::fsync(folder.get());
}

}  // namespace

std::optional<std::string> read_file(const std::string& path, std::size_t bytes_max, std::string& problem) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (!file.open() || ::fstat(file.get(), &status) != 0) {
    problem = because("cannot read", path);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    problem = "cannot read " + path + ": it is not a regular file";
    return std::nullopt;
  }
  std::string content;
  content.resize(bytes_max + 1);
  std::size_t size = 0;
  while (size < content.size()) {
    const auto count = ::read(file.get(), content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      problem = because("cannot read", path);
      return std::nullopt;
    }
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > bytes_max) {
    problem = "cannot read " + path + ": it is larger than " + std::to_string(bytes_max) + " bytes";
    return std::nullopt;
  }
  content.resize(size);
  return content;
}

bool write_new_file(const std::string& path, std::string_view content, mode_t mode, std::string& problem) {
  const Descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)};
  if (!file.open()) {
    problem = because("cannot make", path);
    return false;
  }
  // fchmod because the process's umask may have taken bits away.
  if (::fchmod(file.get(), mode) != 0 || !write_all(file.get(), content) || ::fsync(file.get()) != 0) {
    problem = because("cannot write", path);
    ::unlink(path.c_str());
    return false;
  }
  sync_directory(directory_of(path));
  return true;
}

bool replace_file(const std::string& path, std::string_view content, std::string& problem) {
  const std::unique_ptr<char, decltype(&std::free)> real{::realpath(path.c_str(), nullptr), &std::free};
  struct stat status {};
  if (!real || ::stat(real.get(), &status) != 0) {
    problem = because("cannot replace", path);
    return false;
  }
  const std::string target = real.get();
  auto temporary = target + ".XXXXXX";
  const Descriptor file{::mkostemp(temporary.data(), O_CLOEXEC)};
  if (!file.open()) {
    problem = because("cannot write beside", path);
    return false;
  }
  // Only root may give a file away; others keep their own name on it.
  [[maybe_unused]] const auto owner_kept = ::fchown(file.get(), status.st_uid, status.st_gid);
  if (::fchmod(file.get(), status.st_mode & 07777) != 0 || !write_all(file.get(), content) ||
      ::fsync(file.get()) != 0 || ::rename(temporary.c_str(), target.c_str()) != 0) {
    problem = because("cannot replace", path);
    ::unlink(temporary.c_str());
    return false;
  }
  sync_directory(directory_of(target));
  return true;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string resolve(const std::string& directory, const std::string& path) {
  if (path.empty() || path.front() == '/' || directory == ".") return path;
  return directory.back() == '/' ? directory + path : directory + "/" + path;
}

}  // namespace village::control
