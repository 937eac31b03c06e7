#include "daemon/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

extern char** environ;

namespace village::daemon {
namespace {

constexpr int cannot_start = 127;

Error io_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (auto& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

/// fork_self starts the program with standard output at `output` and standard error at `errors`.
/// Everything the child touches is made before fork: other threads may hold the allocator's locks.
Result<pid_t> fork_self(const ChildOptions& options, int output, int errors) {
  std::vector<std::string> arguments{"villaged"};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  environment.insert(environment.end(), options.environment.begin(), options.environment.end());
  const auto argument_list = pointers(arguments);
  const auto environment_list = pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child < 0 ? Result<pid_t>{io_error()} : Result<pid_t>{child};
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(cannot_start);  // the parent died before the line above
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  ::execve("/proc/self/exe", argument_list.data(), environment_list.data());
  ::_exit(cannot_start);
}

int exit_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_{std::exchange(other.pid_, -1)}, status_{other.status_} {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(status_, other.status_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || status_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
  const int output = ::open(options.output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) return io_error();
  const auto pid = fork_self(options, output, output);
  ::close(output);
  if (!pid) return pid.error();
  ChildProcess child;
  child.pid_ = *pid;
  return child;
}

bool ChildProcess::running() { return pid_ >= 0 && !wait(Duration{0}); }

void ChildProcess::signal(int number) const {
  if (pid_ >= 0 && !status_) ::kill(pid_, number);
}

std::optional<int> ChildProcess::wait(Duration at_most) {
  if (pid_ < 0 || status_) return status_;
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (handle >= 0) {
    pollfd ended{handle, POLLIN, 0};
    const auto millis = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
    (void)::poll(&ended, 1, static_cast<int>(millis));
    ::close(handle);
  }
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = exit_status(status);
  return status_;
}

Result<CapturedRun> run_self(const std::vector<std::string>& arguments, Duration at_most) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return io_error();
  const int errors = ::memfd_create("errors", MFD_CLOEXEC);
  const auto pid = fork_self({arguments, {}, {}}, ends[1], errors);
  ::close(ends[1]);
  if (!pid) {
    ::close(ends[0]);
    ::close(errors);
    return pid.error();
  }
  CapturedRun run;
  std::array<char, 4096> buffer{};
  pollfd readable{ends[0], POLLIN, 0};
  const auto millis = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(at_most).count());
  ssize_t size = 0;
  while (::poll(&readable, 1, millis) == 1 && (size = ::read(ends[0], buffer.data(), buffer.size())) > 0) {
    run.output.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  int status = 0;
  if (size != 0) ::kill(*pid, SIGKILL);  // still silent after `at_most`
  ::waitpid(*pid, &status, 0);
  const auto told = ::pread(errors, buffer.data(), buffer.size(), 0);
  if (told > 0) run.errors.assign(buffer.data(), static_cast<std::size_t>(told));
  ::close(errors);
  if (size != 0) return fail(Errc::timed_out);
  run.status = exit_status(status);
  return run;
}

}  // namespace village::daemon
