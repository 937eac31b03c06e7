#include "daemon/process.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace village::daemon {
namespace {

TEST(Process, LeavesNoCoreDumps) {
  const auto child = ::fork();
  if (child == 0) {
    rlimit cores{};
    const bool done = forbid_core_dumps().has_value();
    ::getrlimit(RLIMIT_CORE, &cores);
    const bool fine = done && ::prctl(PR_GET_DUMPABLE) == 0 && cores.rlim_max == 0;
    ::_exit(fine ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Describe, NamesTheOperatingSystemsReason) {
  EXPECT_EQ(describe(fail(Errc::io, EACCES)), "io (Permission denied)");
  EXPECT_EQ(describe(fail(Errc::busy)), "busy");
}

}  // namespace
}  // namespace village::daemon
