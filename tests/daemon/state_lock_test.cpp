#include "daemon/state_lock.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace village::daemon {
namespace {

class StateLockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("villaged-lock-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(StateLockTest, MakesThePrivateDirectoryAndWritesOurPid) {
  const auto lock = StateLock::acquire(folder_);
  ASSERT_TRUE(lock);
  struct stat facts {};
  ASSERT_EQ(::stat(folder_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0700u);
  std::ifstream file{folder_ / "lock"};
  int pid = 0;
  file >> pid;
  EXPECT_EQ(pid, ::getpid());
}

TEST_F(StateLockTest, SecondHolderIsRefusedAndToldThePidOfTheFirst) {
  const auto first = StateLock::acquire(folder_);
  ASSERT_TRUE(first);
  const auto second = StateLock::acquire(folder_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), fail(Errc::already_exists, static_cast<std::uint64_t>(::getpid())));
}

TEST_F(StateLockTest, IsFreeAgainWhenTheHolderIsGone) {
  { ASSERT_TRUE(StateLock::acquire(folder_)); }
  EXPECT_TRUE(StateLock::acquire(folder_));
}

TEST_F(StateLockTest, DiesWithAKilledProcess) {
  const auto child = ::fork();
  if (child == 0) {
    const auto lock = StateLock::acquire(folder_);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(StateLock::acquire(folder_));
}

TEST_F(StateLockTest, SaysWhyADirectoryCannotBeUsed) {
  const auto lock = StateLock::acquire("/proc/nowhere");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, Errc::io);
  EXPECT_NE(lock.error().detail, 0u);
}

TEST_F(StateLockTest, FollowsNoSymbolicLinkPlacedAsTheLockFile) {
  std::filesystem::create_directories(folder_);
  std::filesystem::create_symlink("/etc/hostname", folder_ / "lock");
  EXPECT_FALSE(StateLock::acquire(folder_));
}

}  // namespace
}  // namespace village::daemon
