#pragma once
// Sandbox: what the process gives up once everything is open. Two parts, each useful alone:
//   Landlock  which files may be read and written (by this thread and those it starts afterwards)
//   seccomp   which system calls may be made (by every thread); anything else ends the process
// A kernel without one of them is no reason not to run: the caller warns and the metric says so.
#include <string>
#include <string_view>
#include <vector>

#include "village/base/error.hpp"

namespace village::control {
struct Config;
}

namespace village::daemon {

/// FileAccess lists directories (with all below) and single files. Paths that do not exist are left out.
struct FileAccess {
  std::vector<std::string> read;
  std::vector<std::string> write;  ///< may also be read
};

/// system_files is what the C library, OpenSSL and the resolver may still want to read.
std::vector<std::string> system_files();
/// file_access is what a daemon with this configuration needs: write = the state directory and the folder of
/// the control socket; read = the folders of the configuration, identity and certificates, and
/// system_files().
FileAccess file_access(const control::Config& config);
/// covers tells whether reading `path` is allowed by `access` (by name, symbolic links resolved).
bool covers(const FileAccess& access, const std::string& path);

/// landlock_abi is the kernel's Landlock version, 0 = none.
int landlock_abi();
/// restrict_files applies Landlock; returns the ABI used. Errors: unsupported (no Landlock), io (detail =
/// errno).
Result<int> restrict_files(const FileAccess& access);

enum class CallPolicy {
  kill,
  log
};  ///< log: the kernel notes the call and lets it pass (to derive the list)
/// allowed_calls is the list, by name, for the documents and the tests.
std::vector<std::string_view> allowed_calls();
/// restrict_calls loads the seccomp filter into every thread of the process. Errors: unsupported, io.
Result<void> restrict_calls(CallPolicy policy);

/// Sandbox applies both parts as configured, sets the metrics villaged_daemon_sandbox_active{part=...}, and
/// warns about what the kernel lacks.
class Sandbox {
 public:
  /// confine_files must run before the worker threads start, confine_calls when they all turn.
  void confine_files(FileAccess access, bool wanted);
  void confine_calls(bool wanted);
  /// active names the parts that hold: "landlock", "seccomp".
  std::vector<std::string> active() const;
  /// readable tells whether `path` may still be opened (always, if Landlock is not active).
  bool readable(const std::string& path) const { return !landlock_ || covers(access_, path); }

 private:
  FileAccess access_;
  bool landlock_ = false;
  bool seccomp_ = false;
};

}  // namespace village::daemon
