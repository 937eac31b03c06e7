// A reload may change much, but never what only a restart can.
#include "daemon/reload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace village::daemon {
namespace {

using ::testing::ElementsAre;

control::Config started() {
  control::Config config;
  config.path = "/etc/villaged/villaged.json";
  config.node.identity_path = "/etc/villaged/identity.key";
  config.node.state_dir = "/var/lib/villaged";
  config.htx.listen = {{*parse_target("0.0.0.0:443"), service::Outer::tls, "/etc/c.pem", "/etc/c.key"}};
  config.proxy.inbounds = {{"local", *parse_target("127.0.0.1:1080"), {}, true}};
  return config;
}

TEST(ReloadedConfig, KeepsAddressesIdentityAndState) {
  const auto before = started();
  auto changed = before;
  changed.node.state_dir = "/elsewhere";
  changed.net.cores = 7;
  changed.control.socket_path = "/elsewhere.sock";
  changed.daemon.seccomp = false;
  changed.htx.listen[0].address = *parse_target("0.0.0.0:8443");
  changed.htx.listen.push_back(changed.htx.listen[0]);
  changed.proxy.inbounds[0].listen = *parse_target("127.0.0.1:9");
  const auto kept = keep_restart_values(before, changed);
  EXPECT_EQ(kept.node.state_dir, before.node.state_dir);
  EXPECT_EQ(kept.net.cores, before.net.cores);
  EXPECT_EQ(kept.control.socket_path, before.control.socket_path);
  EXPECT_TRUE(kept.daemon.seccomp);
  ASSERT_EQ(kept.htx.listen.size(), 1u);
  EXPECT_EQ(kept.htx.listen[0].address, before.htx.listen[0].address);
  EXPECT_EQ(kept.proxy.inbounds[0].listen, before.proxy.inbounds[0].listen);
}

TEST(ReloadedConfig, TakesPeersRoutesUsersCertificatesAndLevels) {
  const auto before = started();
  auto changed = before;
  changed.log.level = log::Level::debug;
  changed.control.drain_timeout = 3s;
  changed.htx.exit.enabled = true;
  changed.htx.peers.emplace_back().name = "berlin";
  changed.htx.listen[0].certificate_pem_path = "/etc/new.pem";
  changed.proxy.default_outbound = "berlin";
  changed.proxy.inbounds[0].users = {{"anna", "secret"}};
  changed.proxy.inbounds[0].udp = false;
  const auto kept = keep_restart_values(before, changed);
  EXPECT_EQ(kept.log.level, log::Level::debug);
  EXPECT_EQ(kept.control.drain_timeout, Duration{3s});
  EXPECT_TRUE(kept.htx.exit.enabled);
  ASSERT_EQ(kept.htx.peers.size(), 1u);
  EXPECT_EQ(kept.htx.listen[0].certificate_pem_path, "/etc/new.pem");
  EXPECT_EQ(kept.proxy.default_outbound, "berlin");
  ASSERT_EQ(kept.proxy.inbounds[0].users.size(), 1u);
  EXPECT_FALSE(kept.proxy.inbounds[0].udp);
}

TEST(FilesOf, ListsEveryFileTheConfigurationNames) {
  EXPECT_THAT(files_of(started()), ElementsAre("/etc/villaged/villaged.json", "/etc/villaged/identity.key",
                                               "/etc/c.pem", "/etc/c.key"));
}

}  // namespace
}  // namespace village::daemon
