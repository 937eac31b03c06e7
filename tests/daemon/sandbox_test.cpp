// The sandbox cannot be taken off again, so every test puts it on in a child and reads the child's exit
// status.
#include "daemon/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "support/sanitizer.hpp"

namespace village::daemon {
namespace {

/// in_child runs `body` in a forked child and returns its wait status; body's result is the exit status.
int in_child(const std::function<int()>& body) {
  const auto child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}
bool exited(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
bool killed_by_filter(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }

bool can_open(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  return file >= 0;
}

class LandlockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (landlock_abi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
    folder_ = std::filesystem::temp_directory_path() / ("villaged-sandbox-" + std::to_string(::getpid()));
    for (const char* name : {"state", "config", "other"}) {
      std::filesystem::create_directories(folder_ / name);
      std::ofstream{folder_ / name / "file"} << "text";
    }
    access_.write = {folder_ / "state"};
    access_.read = {folder_ / "config", folder_ / "missing"};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return folder_ / name; }
  std::filesystem::path folder_;
  FileAccess access_;
};

TEST_F(LandlockTest, StateDirectoryStaysWritable) {
  const auto status = in_child([&] {
    if (!restrict_files(access_)) return 9;
    const bool fine =
        can_open(path("state/new"), O_RDWR | O_CREAT) && can_open(path("state/file"), O_RDWR | O_TRUNC) &&
        ::rename(path("state/new").c_str(), path("state/newer").c_str()) == 0 &&
        ::unlink(path("state/newer").c_str()) == 0 && ::mkdir(path("state/sub").c_str(), 0700) == 0;
    return fine ? 0 : 1;
  });
  EXPECT_TRUE(exited(status, 0)) << status;
}

TEST_F(LandlockTest, ConfigurationCanBeReadButNotWritten) {
  const auto status = in_child([&] {
    if (!restrict_files(access_)) return 9;
    return can_open(path("config/file"), O_RDONLY) && !can_open(path("config/file"), O_WRONLY) &&
                   !can_open(path("config/new"), O_WRONLY | O_CREAT) &&
                   ::unlink(path("config/file").c_str()) != 0
               ? 0
               : 1;
  });
  EXPECT_TRUE(exited(status, 0)) << status;
}

TEST_F(LandlockTest, EverythingElseIsOutOfReach) {
  const auto status = in_child([&] {
    if (!restrict_files(access_)) return 9;
    return !can_open(path("other/file"), O_RDONLY) && !can_open("/etc/passwd", O_RDONLY) &&
                   !can_open("/usr", O_RDONLY | O_DIRECTORY)
               ? 0
               : 1;
  });
  EXPECT_TRUE(exited(status, 0)) << status;
}

TEST_F(LandlockTest, HoldsInThreadsStartedAfterwards) {
  const auto status = in_child([&] {
    if (!restrict_files(access_)) return 9;
    bool opened = true;
    std::thread{[&] { opened = can_open(path("other/file"), O_RDONLY); }}.join();
    return opened ? 1 : 0;
  });
  EXPECT_TRUE(exited(status, 0)) << status;
}

TEST_F(LandlockTest, CoversKnowsWhatTheRulesAllow) {
  std::filesystem::create_symlink(folder_ / "config", folder_ / "link");
  EXPECT_TRUE(covers(access_, path("config/file")));
  EXPECT_TRUE(covers(access_, path("state/file")));
  EXPECT_TRUE(covers(access_, path("link/file")));
  EXPECT_FALSE(covers(access_, path("other/file")));
  EXPECT_FALSE(covers(access_, path("config/../other/file")));
  EXPECT_FALSE(covers(access_, path("config-beside/file")));
}

class SeccompTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (village::test::under_sanitizer) GTEST_SKIP() << "the sanitizers' own calls are not on the list";
  }
  static int confined(const std::function<int()>& body) {
    return in_child([&] { return restrict_calls(CallPolicy::kill) ? body() : 9; });
  }
};

TEST_F(SeccompTest, OrdinaryWorkGoesOn) {
  const auto status = confined([] {
    const int socket = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    const bool fine = socket >= 0 && ::ioctl(socket, FIONBIO, &on) == 0 && ::close(socket) == 0 &&
                      std::make_unique<char[]>(8 << 20) != nullptr;
    return fine ? 0 : 1;
  });
  EXPECT_TRUE(exited(status, 0)) << status;
}

TEST_F(SeccompTest, AbortIsStillAnAbort) {
  const auto status = confined([]() -> int { std::abort(); });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status;
}

TEST_F(SeccompTest, NewProgramsEndTheProcess) {
  const auto status = confined([] {
    char* const arguments[] = {nullptr};
    return ::execve("/bin/true", arguments, arguments);
  });
  EXPECT_TRUE(killed_by_filter(status)) << status;
}

TEST_F(SeccompTest, NewProcessesEndTheProcess) {
  EXPECT_TRUE(killed_by_filter(confined([] { return ::fork() == 0 ? 0 : 1; })));
}

TEST_F(SeccompTest, OtherSocketFamiliesEndTheProcess) {
  EXPECT_TRUE(killed_by_filter(confined([] { return ::socket(AF_PACKET, SOCK_RAW, 0); })));
}

TEST_F(SeccompTest, ExecutableMemoryEndsTheProcess) {
  EXPECT_TRUE(killed_by_filter(confined([] {
    return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? 0
                                                                                                          : 1;
  })));
}

TEST_F(SeccompTest, HoldsInThreadsThatRanBefore) {
  const auto status = in_child([] {
    std::atomic<bool> confined{false};
    std::thread other{[&] {
      while (!confined) std::this_thread::yield();
      (void)::socket(AF_PACKET, SOCK_RAW, 0);
    }};
    if (!restrict_calls(CallPolicy::kill)) return 9;
    confined = true;
    other.join();
    return 0;
  });
  EXPECT_TRUE(killed_by_filter(status)) << status;
}

TEST(AllowedCalls, HoldNothingThatChangesTheProcessesRights) {
  const auto calls = allowed_calls();
  EXPECT_LT(calls.size(), 90u);
  for (const std::string_view banned :
       {"execve", "execveat", "fork", "clone", "clone3", "ptrace", "setuid", "bpf", "io_uring_setup", "mount",
        "kexec_load", "process_vm_writev", "chmod"}) {
    EXPECT_EQ(std::count(calls.begin(), calls.end(), banned), 0) << banned;
  }
}

}  // namespace
}  // namespace village::daemon
