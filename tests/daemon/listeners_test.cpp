#include "daemon/listeners.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

namespace village::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// loopback_listener is a listening socket as a service manager would hand it down.
int loopback_listener() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(socket, 8), 0);
  return socket;
}

class ListenersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("villaged-listen-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    config_.control.socket_path = folder_ / "control.sock";
    config_.control.listen = *parse_target("127.0.0.1:0", true);
    config_.htx.listen = {{*parse_target("127.0.0.1:0", true), service::Outer::none, {}, {}}};
    config_.proxy.inbounds = {{"local", *parse_target("[::1]:0", true), {}, true}};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
  control::Config config_;
};

TEST_F(ListenersTest, OpensEveryAddressOnceAndNamesIt) {
  const auto outcome = open_listeners(config_, {}, 2);
  ASSERT_EQ(outcome.problem, "");
  ASSERT_EQ(outcome.listeners.size(), 4u);
  EXPECT_THAT(outcome.listeners[0].text, StartsWith("htx none 127.0.0.1:"));
  EXPECT_THAT(outcome.listeners[1].text, StartsWith("proxy local [::1]:"));
  EXPECT_THAT(outcome.listeners[2].text, StartsWith("control 127.0.0.1:"));
  EXPECT_EQ(outcome.listeners[3].text, "control " + config_.control.socket_path);
}

TEST_F(ListenersTest, TakenPortIsOneSentenceAndNothingStaysOpen) {
  const auto first = open_listeners(config_, {}, 1);
  ASSERT_EQ(first.problem, "");
  const auto taken = first.listeners[0].listener->local();
  auto other = config_;
  other.control.socket_path = folder_ / "other.sock";
  other.htx.listen[0].address.port = taken->port;
  const auto second = open_listeners(other, {}, 1);
  EXPECT_THAT(second.problem, HasSubstr("is already in use"));
  EXPECT_TRUE(second.listeners.empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other.sock"));
}

TEST_F(ListenersTest, InheritedSocketTakesTheNamedPlace) {
  const auto outcome = open_listeners(config_, {{loopback_listener(), "local"}}, 2);
  ASSERT_EQ(outcome.problem, "");
  EXPECT_THAT(outcome.listeners[1].text, StartsWith("proxy local 127.0.0.1:"));
}

TEST_F(ListenersTest, UnusedInheritedSocketIsAWarning) {
  const auto outcome = open_listeners(config_, {{loopback_listener(), "smtp"}}, 1);
  ASSERT_EQ(outcome.problem, "");
  ASSERT_EQ(outcome.warnings.size(), 1u);
  EXPECT_THAT(outcome.warnings[0], HasSubstr("name=\"smtp\""));
}

TEST_F(ListenersTest, InheritedDescriptorThatDoesNotListenIsRefused) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto outcome = open_listeners(config_, {{socket, "htx"}}, 1);
  EXPECT_THAT(outcome.problem, StartsWith("htx none"));
}

TEST_F(ListenersTest, SlotsFollowTheConfiguration) {
  const auto slots = listen_slots(config_);
  ASSERT_EQ(slots.size(), 3u);
  EXPECT_EQ(slots[0].name, "htx-0");
  EXPECT_EQ(slots[0].alias, "htx");
  EXPECT_EQ(slots[1].name, "proxy-local");
  EXPECT_EQ(slots[2].name, "control");
}

}  // namespace
}  // namespace village::daemon
