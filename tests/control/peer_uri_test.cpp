#include "control/peer_uri.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "village/service/ticket_keyring.hpp"

namespace village::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const std::string pin = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
const std::string whole = "htx://" + key + "@exit.example.org:8443?outer=tls&pin=" + pin +
                          "&suites=5,3&ticket=AAECAwQFBgc." + pin + "&path=/live&cookie=sid&name=berlin";

TEST(PeerUri, AWholeOneReadsBack) {
  std::string problem;
  const auto peer = parse_peer_uri(whole, problem);
  ASSERT_TRUE(peer) << problem;
  EXPECT_EQ(peer->name, "berlin");
  EXPECT_EQ(to_text(peer->address.value()), "exit.example.org:8443");
  EXPECT_EQ(peer->outer, service::Outer::tls);
  EXPECT_TRUE(peer->pin);
  ASSERT_TRUE(peer->ticket);
  EXPECT_EQ(service::ticket_text(*peer->ticket), "AAECAwQFBgc." + pin);
  EXPECT_EQ(peer->upgrade, (proxy::UpgradePlace{"/live", "sid"}));
  EXPECT_FALSE(peer->allow_inbound);
  EXPECT_EQ(peer_uri(*peer), whole);
}

TEST(PeerUri, WhatIsLeftOutHasItsDefault) {
  std::string problem;
  const auto peer = parse_peer_uri(" htx://" + key + "@[2001:db8::1]:443\n", problem);
  ASSERT_TRUE(peer) << problem;
  EXPECT_EQ(peer->name, "");
  EXPECT_EQ(peer->outer, service::Outer::tls);
  EXPECT_FALSE(peer->pin);
  EXPECT_FALSE(peer->ticket);
  EXPECT_EQ(peer->upgrade, proxy::UpgradePlace{});
  EXPECT_EQ(peer->suites, service::TunnelPeer{}.suites);
  EXPECT_EQ(to_text(peer->address.value()), "[2001:db8::1]:443");
}

TEST(PeerUri, SuitesOfANewerBuildAreLeftOut) {
  std::string problem;
  const auto peer = parse_peer_uri("htx://" + key + "@a.example:1?suites=99,5,7,3,4,200,4", problem);
  ASSERT_TRUE(peer) << problem;
  EXPECT_THAT(peer->suites, ElementsAre(htx::Suite::xkhfs_aesgcm_sha256, htx::Suite::xkhfs_chacha_sha256,
                                        htx::Suite::xk_aesgcm_sha256));
}

struct Refused {
  std::string uri, because;
};

TEST(PeerUri, EverythingElseIsRefusedWithAReason) {
  const std::string good = "htx://" + key + "@a.example:1";
  const std::vector<Refused> table{
      {"", "begins with htx://"},
      {"https://a.example/", "begins with htx://"},
      {"HTX://" + key + "@a.example:1", "begins with htx://"},
      {"htx://", "key in the invitation"},
      {"htx://a.example:1", "key in the invitation"},
      {"htx://" + key.substr(1) + "@a.example:1", "key in the invitation"},
      {"htx://" + key + "=@a.example:1", "key in the invitation"},
      {"htx://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@a.example:1", "key in the invitation"},
      {"htx://" + key + "@", "no host:port"},
      {"htx://" + key + "@a.example", "no host:port"},
      {"htx://" + key + "@a.example:0", "no host:port"},
      {"htx://" + key + "@a.example:70000", "no host:port"},
      {"htx://" + key + "@a.example:1/path", "no host:port"},
      {"htx://" + key + "@b@a.example:1", "no host:port"},
      {"htx://" + key + "@::1:443", "no host:port"},
      {good + "#fragment", "no host:port"},
      {good + "?outer=quic", "outer is \"quic\""},
      {good + "?outer=tls&outer=tls", "\"outer\" twice"},
      {good + "?outer=none&pin=" + pin, "outer=none has no certificate"},
      {good + "?pin=abc", "pin is damaged"},
      {good + "?suites=", "no list of numbers"},
      {good + "?suites=4,", "no list of numbers"},
      {good + "?suites=x", "no list of numbers"},
      {good + "?suites=256", "no list of numbers"},
      {good + "?suites=7,99", "none of the invitation's suites"},
      {good + "?name=Berlin", "name is not made of"},
      {good + "?name=", "name is not made of"},
      {good + "?hash=sha1", "unknown parameter \"hash\""},
      {good + "?ticket=1.abc", "ticket key is damaged"},
      {good + "?outer=none&ticket=AAECAwQFBgc." + pin, "outer=none takes no tickets"},
      {good + "?path=ws", "path is damaged"},
      {good + "?cookie=a;b", "cookie is damaged"},
      {good + "?outer=tls name=x", "blanks"},
      {good + "?name=\xC3\xA9", "blanks or other characters"},
      {good + "?name=" + std::string(3'000, 'a'), "longer than any"},
  };
  for (const auto& row : table) {
    std::string problem;
    EXPECT_FALSE(parse_peer_uri(row.uri, problem)) << row.uri;
    EXPECT_THAT(problem, HasSubstr(row.because)) << row.uri;
  }
}

}  // namespace
}  // namespace village::control
