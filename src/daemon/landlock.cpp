// Landlock by raw system calls: Debian 12's headers know less than the kernels it runs on, so the rights of
// newer ABIs are spelled out here and masked by what the running kernel reports. Source: kernel
// documentation, userspace-api/landlock.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <iterator>

#include "daemon/sandbox.hpp"
#include "village/control/config.hpp"

namespace village::daemon {
namespace {

namespace fs = std::filesystem;

constexpr long sys_create_ruleset = 444, sys_add_rule = 445, sys_restrict_self = 446;
constexpr std::uint32_t version_flag = 1;
constexpr int rule_path_beneath = 1;

struct RulesetAttributes {
  std::uint64_t handled_files = 0;
  std::uint64_t handled_network = 0;  ///< ABI 4
  std::uint64_t scoped = 0;           ///< ABI 6
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed;
  std::int32_t parent;
};

constexpr std::uint64_t execute = 1 << 0, write_file = 1 << 1, read_file = 1 << 2, read_dir = 1 << 3;
constexpr std::uint64_t truncate_file = 1 << 14;  // ABI 3
constexpr std::uint64_t ioctl_device = 1 << 15;   // ABI 5
constexpr std::uint64_t scope_signal = 1 << 1;    // ABI 6

/// known_rights are the file rights each ABI can handle: 13 in the first, then refer, truncate, ioctl.
std::uint64_t known_rights(int abi) {
  std::uint64_t rights = (1 << 13) - 1;
  if (abi >= 2) rights |= 1 << 13;
  if (abi >= 3) rights |= truncate_file;
  if (abi >= 5) rights |= ioctl_device;
  return rights;
}

Error io_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

struct Descriptor {
  int value;
  explicit Descriptor(int v) : value{v} {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

Result<void> allow(int ruleset, const std::string& path, std::uint64_t rights) {
  const Descriptor parent{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  if (parent.value < 0) return ok();  // not there: nothing to allow
  struct stat facts {};
  if (::fstat(parent.value, &facts) != 0) return io_error();
  // Rights on directory entries mean nothing on a file and would be refused.
  if (!S_ISDIR(facts.st_mode)) rights &= execute | write_file | read_file | truncate_file | ioctl_device;
  const PathBeneath rule{rights, parent.value};
  if (::syscall(sys_add_rule, ruleset, rule_path_beneath, &rule, 0) != 0) return io_error();
  return ok();
}

std::string parent_of(const fs::path& path) {
  const auto parent = path.parent_path();
  return parent.empty() ? "." : parent.string();
}

/// add_with_folder adds the folder of `path`, and that of what it points to: certificate tools replace the
/// file by another one, or by a link into an archive folder.
void add_with_folder(std::vector<std::string>& list, const std::string& path) {
  if (path.empty()) return;
  list.push_back(parent_of(path));
  std::error_code error;
  const auto real = fs::canonical(path, error);
  if (!error) list.push_back(parent_of(real));
}

bool beneath(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

}  // namespace

std::vector<std::string> system_files() {
  return {
      "/etc/resolv.conf",
      "/etc/hosts",
      "/etc/host.conf",
      "/etc/nsswitch.conf",
      "/etc/services",
      "/etc/gai.conf",
      "/etc/localtime",
      "/etc/timezone",
      "/usr/share/zoneinfo",
      "/etc/ssl",
      "/etc/pki",
      "/usr/lib/ssl",
      "/usr/share/ca-certificates",
      "/usr/local/share/ca-certificates",
      "/etc/ld.so.cache",
      "/lib",
      "/lib64",
      "/usr/lib",
      "/usr/lib64",
      "/usr/local/lib",
      "/sys/devices/system/cpu",
      "/dev/urandom",
      "/dev/random",
      "/proc/self",

      "/proc/stat",
  };
}

FileAccess file_access(const control::Config& config) {
  FileAccess access;
  access.write = {config.node.state_dir, "/dev/null"};
  if (!config.control.socket_path.empty()) access.write.push_back(parent_of(config.control.socket_path));
  access.read = system_files();
  add_with_folder(access.read, config.path);
  add_with_folder(access.read, config.node.identity_path);
  if (!config.mix.roles.empty()) access.write.push_back(config.mix.keys_path);
  if (service::asks_tickets(config.htx)) access.write.push_back(parent_of(config.htx.tickets.key_path));
  if (config.htx.shape.find('/') != std::string::npos) add_with_folder(access.read, config.htx.shape);
  for (const auto& listen : config.htx.listen) {
    add_with_folder(access.read, listen.certificate_pem_path);
    add_with_folder(access.read, listen.key_pem_path);
  }
  return access;
}

bool covers(const FileAccess& access, const std::string& path) {
  std::error_code error;
  const auto real = fs::weakly_canonical(path, error);
  if (error) return false;
  const auto inside = [&](const std::string& root) {
    std::error_code root_error;
    const auto real_root = fs::weakly_canonical(root, root_error);
    return !root_error && beneath(real, real_root);
  };
  return std::any_of(access.read.begin(), access.read.end(), inside) ||
         std::any_of(access.write.begin(), access.write.end(), inside);
}

int landlock_abi() {
  const long abi = ::syscall(sys_create_ruleset, nullptr, 0, version_flag);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Result<int> restrict_files(const FileAccess& access) {
  const int abi = landlock_abi();
  if (abi < 1) return fail(Errc::unsupported);
  RulesetAttributes attributes;
  attributes.handled_files = known_rights(abi);
  if (abi >= 6) attributes.scoped = scope_signal;
  const std::size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  const Descriptor ruleset{static_cast<int>(::syscall(sys_create_ruleset, &attributes, size, 0))};
  if (ruleset.value < 0) return io_error();
  const auto all = known_rights(abi);
  for (const auto& path : access.read) VG_TRY_VOID(allow(ruleset.value, path, read_file | read_dir));
  for (const auto& path : access.write)
    VG_TRY_VOID(allow(ruleset.value, path, all & ~(execute | ioctl_device)));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return io_error();
  if (::syscall(sys_restrict_self, ruleset.value, 0) != 0) return io_error();
  return abi;
}

}  // namespace village::daemon
