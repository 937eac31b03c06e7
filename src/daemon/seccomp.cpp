// The system calls of a running daemon. Derived with `strace -f -c` over the integration tests (see
// README.md); a call that is not here ends the process, so what is rare but right (abort, reload, name
// look-ups) is listed too.
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "daemon/sandbox.hpp"

namespace village::daemon {
namespace {

constexpr auto plain_calls = std::to_array<std::string_view>({
    // sockets
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    // a relay between two plain sockets
    "pipe2",
    "splice",
    // event loop and threads
    "epoll_ctl",
    "epoll_pwait",
    "epoll_wait",
    "futex",
    "poll",
    "ppoll",
    "restart_syscall",
    "sched_getaffinity",
    "sched_yield",
    "timerfd_settime",
    // configuration, certificates, name server files, the control socket's end, the log
    "close",
    "faccessat2",
    "fallocate",
    "fchmod",
    "fchown",
    "flock",
    "fcntl",
    "fdatasync",
    "fstat",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents64",
    "lseek",
    "mkdir",
    "mkdirat",
    "msync",
    "newfstatat",
    "openat",
    "pread64",
    "pwrite64",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "rename",
    "renameat",
    "renameat2",
    "statx",
    "unlink",
    "unlinkat",
    "write",
    "writev",
    // memory
    "brk",
    "madvise",
    "mremap",
    "munmap",
    // time (where the vDSO has none), randomness, figures for the metrics
    "clock_gettime",
    "clock_nanosleep",
    "getrandom",
    "getrusage",
    "gettimeofday",
    "prlimit64",
    "sysinfo",
    "uname",
    // the end, in order or by abort() of a broken invariant
    "exit",
    "exit_group",
    "getpid",
    "gettid",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "tgkill",
});
constexpr auto checked_calls = std::to_array<std::string_view>({"socket", "ioctl", "mmap", "mprotect"});

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

int allow_plain(scmp_filter_ctx filter, std::string_view call) {
  const int number = seccomp_syscall_resolve_name(std::string{call}.c_str());
  if (number == __NR_SCMP_ERROR) return 0;  // unknown to this libseccomp: cannot be called by name either
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

/// allow_if adds a call that is allowed when its argument `index` compares so.
int allow_if(scmp_filter_ctx filter, int call, unsigned index, scmp_compare compare, scmp_datum_t a,
             scmp_datum_t b = 0) {
  const scmp_arg_cmp argument{index, compare, a, b};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &argument);
}

/// allow_checked adds the calls whose arguments matter: IP and Unix sockets only, no executable memory, of
/// ioctl only what the event loop uses.
int allow_checked(scmp_filter_ctx filter) {
  int failed = 0;
  for (const auto family : std::to_array<scmp_datum_t>({AF_INET, AF_INET6, AF_UNIX})) {
    failed |= allow_if(filter, SCMP_SYS(socket), 0, SCMP_CMP_EQ, family);
  }
  for (const auto request : std::to_array<scmp_datum_t>({FIONBIO, FIONREAD, TCGETS})) {
    failed |= allow_if(filter, SCMP_SYS(ioctl), 1, SCMP_CMP_EQ, request);
  }
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    failed |= allow_if(filter, call, 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  }
  return failed;
}

}  // namespace

std::vector<std::string_view> allowed_calls() {
  std::vector<std::string_view> calls{plain_calls.begin(), plain_calls.end()};
  calls.insert(calls.end(), checked_calls.begin(), checked_calls.end());
  return calls;
}

Result<void> restrict_calls(CallPolicy policy) {
  if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) return fail(Errc::unsupported);
  const auto action = policy == CallPolicy::kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_LOG;
  const Filter filter{seccomp_init(action), &seccomp_release};
  if (!filter) return fail(Errc::unsupported);
  int failed = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  failed |= seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const auto call : plain_calls) failed |= allow_plain(filter.get(), call);
  failed |= allow_checked(filter.get());
  if (failed != 0) return fail(Errc::io, EINVAL);
  if (const int result = seccomp_load(filter.get()); result != 0) {
    return fail(Errc::io, static_cast<std::uint64_t>(-result));
  }
  return ok();
}

}  // namespace village::daemon
