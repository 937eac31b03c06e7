// What the service manager gets to read, on a datagram socket of our own.
#include "daemon/notify.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace village::daemon {
namespace {

class NotifierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("villaged-notify-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "notify").string();
    manager_ = listen(path_);
  }
  void TearDown() override {
    ::close(manager_);
    std::filesystem::remove_all(folder_);
    ::unsetenv("NOTIFY_SOCKET");
  }
  static int listen(const std::string& path) {
    const int manager = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (path.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(::bind(manager, reinterpret_cast<const sockaddr*>(&address), size), 0);
    return manager;
  }
  static std::string receive(int manager) {
    std::array<char, 512> text{};
    const auto size = ::recv(manager, text.data(), text.size(), 0);
    return size < 0 ? "<nothing>" : std::string{text.data(), static_cast<std::size_t>(size)};
  }

  std::filesystem::path folder_;
  std::string path_;
  int manager_ = -1;
};

TEST_F(NotifierTest, SendsReadyWithStatus) {
  auto notifier = Notifier::open(path_);
  ASSERT_TRUE(notifier);
  notifier->ready("2 peers");
  EXPECT_EQ(receive(manager_), "READY=1\nSTATUS=2 peers");
}

TEST_F(NotifierTest, SendsWatchdogStoppingAndStatusAlone) {
  auto notifier = Notifier::open(path_);
  ASSERT_TRUE(notifier);
  notifier->watchdog();
  notifier->stopping("draining");
  notifier->status("idle");
  EXPECT_EQ(receive(manager_), "WATCHDOG=1");
  EXPECT_EQ(receive(manager_), "STOPPING=1\nSTATUS=draining");
  EXPECT_EQ(receive(manager_), "STATUS=idle");
  EXPECT_EQ(receive(manager_), "<nothing>");
}

TEST_F(NotifierTest, ReloadingCarriesMonotonicMicroseconds) {
  auto notifier = Notifier::open(path_);
  ASSERT_TRUE(notifier);
  notifier->reloading(Instant{1'234'567'890ns});
  EXPECT_EQ(receive(manager_), "RELOADING=1\nMONOTONIC_USEC=1234567\nSTATUS=reading the configuration");
}

TEST_F(NotifierTest, StatusCannotForgeAnAssignment) {
  auto notifier = Notifier::open(path_);
  ASSERT_TRUE(notifier);
  notifier->status("a\nMAINPID=1");
  EXPECT_EQ(receive(manager_), "STATUS=a MAINPID=1");
}

TEST_F(NotifierTest, SpeaksToAnAbstractSocket) {
  const std::string name = "@villaged-notify-" + std::to_string(::getpid());
  const int manager = listen(name);
  auto notifier = Notifier::open(name);
  ASSERT_TRUE(notifier);
  notifier->watchdog();
  EXPECT_EQ(receive(manager), "WATCHDOG=1");
  ::close(manager);
}

TEST_F(NotifierTest, TakesThePathOutOfTheEnvironment) {
  ::setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  auto notifier = Notifier::from_environment();
  EXPECT_TRUE(notifier.active());
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
}

TEST_F(NotifierTest, IsSilentWithoutAManager) {
  ::unsetenv("NOTIFY_SOCKET");
  auto notifier = Notifier::from_environment();
  EXPECT_FALSE(notifier.active());
  notifier.ready("");
  EXPECT_EQ(receive(manager_), "<nothing>");
}

TEST(Notifier, RefusesPathsThatCannotBeSockets) {
  EXPECT_EQ(Notifier::open("relative").error().code, Errc::bad_argument);
  EXPECT_EQ(Notifier::open("/" + std::string(200, 'x')).error().code, Errc::bad_argument);
  EXPECT_EQ(Notifier::open("").error().code, Errc::bad_argument);
  EXPECT_EQ(Notifier::open("/nonexistent/socket").error().code, Errc::io);
}

TEST(WatchdogInterval, IsOursOnlyWhenThePidIsOursOrMissing) {
  EXPECT_EQ(watchdog_interval("30000000", nullptr, 7), Duration{30s});
  EXPECT_EQ(watchdog_interval("30000000", "7", 7), Duration{30s});
  EXPECT_FALSE(watchdog_interval("30000000", "8", 7));
  EXPECT_FALSE(watchdog_interval("30000000", "x", 7));
}

TEST(WatchdogInterval, RefusesWhatIsNoTime) {
  for (const char* text : {"", "0", "-5", "12x", "99999999999999999999", "86400000001"}) {
    EXPECT_FALSE(watchdog_interval(text, nullptr, 7)) << text;
  }
  EXPECT_FALSE(watchdog_interval(nullptr, nullptr, 7));
}

}  // namespace
}  // namespace village::daemon
