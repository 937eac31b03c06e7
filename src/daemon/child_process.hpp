#pragma once
// ChildProcess: this program, started again with other arguments. It dies with its owner, whichever way that
// ends.
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "village/base/error.hpp"
#include "village/base/time.hpp"

namespace village::daemon {

struct ChildOptions {
  std::vector<std::string> arguments;    ///< behind the program's name
  std::vector<std::string> environment;  ///< "KEY=value", in addition to ours
  std::string output_path;               ///< standard output and error go there
};

class ChildProcess {
 public:
  ChildProcess() = default;
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();  ///< kills and reaps
  /// start runs /proc/self/exe. Errors: io.
  static Result<ChildProcess> start(const ChildOptions& options);

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number) const;
  /// wait reaps the child and returns its exit status (128 + signal if one ended it); nullopt after
  /// `at_most`.
  std::optional<int> wait(Duration at_most);

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

/// CapturedRun is what a short-lived child left.
struct CapturedRun {
  int status = -1;
  std::string output;  ///< standard output
  std::string errors;  ///< the first 4 KiB of standard error
};
/// run_self runs this program with `arguments` to its end. Errors: io, timed_out.
Result<CapturedRun> run_self(const std::vector<std::string>& arguments, Duration at_most);

}  // namespace village::daemon
