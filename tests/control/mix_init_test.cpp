// A mixnet made by `villaged init` and `villaged mix authority|node|client`, in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "control/json.hpp"
#include "control/verbs.hpp"
#include "ran_verb.hpp"
#include "temporary_folder.hpp"
#include "village/control/config.hpp"
#include "village/control/verb.hpp"

namespace village::control {
namespace {

using testing::HasSubstr;

Ran run(std::vector<std::string> args) { return run_verb(std::move(args)); }

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream{line};
  return {std::istream_iterator<std::string>{stream}, {}};
}

class MixInit : public testing::Test {
 protected:
  /// init makes a node; what it printed as JSON comes back.
  Json init(const std::string& name, const std::string& role, std::vector<std::string> more) {
    std::vector<std::string> args{"init",   "--dir", folder_.path(name), "--name", name,
                                  "--role", role,    "--control",        "none",   "--json"};
    args.insert(args.end(), more.begin(), more.end());
    const auto made = run(args);
    EXPECT_EQ(made.status, 0) << made.err;
    return made.status == 0 ? Json::parse(made.out) : Json::object();
  }
  std::string config(const std::string& name) const { return folder_.path(name + "/villaged.json"); }
  Config checked(const std::string& name) const {
    const auto outcome = load_config(config(name));
    for (const auto& error : outcome.errors) ADD_FAILURE() << error.text();
    for (const auto& warning : outcome.warnings) ADD_FAILURE() << warning.text();
    return outcome.config.value_or(Config{});
  }
  /// authorities makes three that know one another; the result is the option for other nodes.
  std::vector<std::string> authorities() {
    std::vector<std::string> lines;
    for (const std::string name : {"a", "b", "c"}) {
      const auto port = "947" + std::to_string(lines.size());
      lines.push_back(
          init(name, "authority", {"--listen", "192.0.2.1:" + port}).at("authority").get<std::string>());
    }
    for (const std::string name : {"a", "b", "c"}) {
      const auto ran =
          run({"mix", "authority", "add", lines[0], lines[1], lines[2], "--config", config(name)});
      EXPECT_EQ(ran.status, 0) << ran.err;
      EXPECT_THAT(ran.out, HasSubstr("3 of 3"));
    }
    const auto listed = run({"mix", "authority", "list", "--config", config("a")});
    EXPECT_EQ(listed.status, 0);
    return words_of(listed.out);
  }

  const TemporaryFolder folder_;
};

TEST_F(MixInit, AuthoritiesNameEachOtherByTheLinesOfInit) {
  const auto options = authorities();
  ASSERT_EQ(options.size(), 2U);
  EXPECT_EQ(options[0], "--authorities");
  for (const std::string name : {"a", "b", "c"}) {
    const auto made = checked(name);
    EXPECT_EQ(made.mix.directory.authorities.size(), 3U);
    EXPECT_EQ(made.mix.directory.threshold, 3U);
    EXPECT_TRUE(made.mix.directory.distinct_networks);
  }
  const auto removed = run({"mix", "authority", "remove", "b", "--threshold", "2", "--config", config("a")});
  EXPECT_EQ(removed.status, 0) << removed.err;
  EXPECT_EQ(checked("a").mix.directory.threshold, 2U);
  EXPECT_THAT(run({"mix", "authority", "remove", "bb", "--config", config("a")}).err,
              HasSubstr("no authority"));
}

TEST_F(MixInit, MixesGatewaysAndClientsJoinByThePrintedLines) {
  const auto options = authorities();
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), options.begin(), options.end());
    return more;
  };
  const auto mix = init("m", "mix", with({"--address", "192.0.2.9:9001", "--operator", "somebody"}));
  const auto gateway = init("g", "gateway", with({"--listen", "192.0.2.20:9001"}));
  const auto client = init("anna", "client", with({"--gateway", gateway.at("gateway").get<std::string>()}));
  EXPECT_EQ(to_text(*checked("m").mix.address), "192.0.2.9:9001");
  EXPECT_EQ(checked("m").mix.operator_name, "somebody");
  EXPECT_EQ(checked("anna").mix.gateway, "gateway");
  auto admit = words_of(client.at("admit").get<std::string>());
  ASSERT_EQ(admit.at(0), "villaged");
  admit.erase(admit.begin());
  admit.insert(admit.end(), {"--config", config("g")});
  EXPECT_EQ(run(admit).status, 0);
  EXPECT_EQ(run(admit).status, 0) << "twice is once";
  const auto serves = checked("g");
  ASSERT_EQ(serves.mix.clients.size(), 1U);
  EXPECT_EQ(serves.mix.clients[0].name, "anna");
  ASSERT_EQ(serves.htx.peers.size(), 1U);
  EXPECT_TRUE(serves.htx.peers[0].allow_inbound);
  EXPECT_EQ(run({"mix", "client", "remove", "anna", "--config", config("g")}).status, 0);
  EXPECT_TRUE(checked("g").htx.peers.empty());
  // The authorities list whom they were told of.
  for (const auto& node : {mix, gateway}) {
    const auto ran = run({"mix", "node", "add", node.at("key").get<std::string>(), "--config", config("a")});
    EXPECT_EQ(ran.status, 0) << ran.err;
  }
  EXPECT_EQ(checked("a").mix.directory.admitted.size(), 3U) << "itself, which names nobody, and these";
  EXPECT_THAT(run({"mix", "node", "list", "--config", config("a")}).out,
              HasSubstr(gateway.at("node").get<std::string>()));
  EXPECT_EQ(run({"mix", "node", "remove", mix.at("key").get<std::string>(), "--config", config("a")}).status,
            0);
  EXPECT_EQ(checked("a").mix.directory.admitted.size(), 2U);
}

TEST_F(MixInit, AGatewayMayHideBehindTls) {
  const auto options = authorities();
  const auto gateway =
      init("g", "gateway", {"--listen", "192.0.2.20:9001", "--tls", "0.0.0.0:8443", options[0], options[1]});
  const auto invited = run({"peer", "invite", "g.example.org:8443", "--config", config("g")});
  ASSERT_EQ(invited.status, 0) << invited.err;
  EXPECT_THAT(invited.out, HasSubstr("outer=tls"));
  init("anna", "client", {"--gateway", words_of(invited.out).at(0), options[0], options[1]});
  const auto made = checked("anna");
  ASSERT_EQ(made.htx.peers.size(), 1U);
  EXPECT_EQ(made.htx.peers[0].outer, service::Outer::tls);
  EXPECT_TRUE(made.htx.peers[0].ticket);
  EXPECT_EQ(made.mix.gateway, made.htx.peers[0].name);
}

TEST_F(MixInit, OnLoopbackPathsMayStayInOneNetwork) {
  init("a", "authority", {"--listen", "127.0.0.1:9470", "--epoch", "30s", "--open"});
  const auto outcome = load_config(config("a"));
  ASSERT_TRUE(outcome.config);
  EXPECT_EQ(outcome.warnings.size(), 1U) << "open, and no distinct networks";
  const auto& made = *outcome.config;
  EXPECT_TRUE(made.mix.directory.open);
  EXPECT_FALSE(made.mix.directory.distinct_networks);
  EXPECT_EQ(made.mix.epochs.length, std::chrono::seconds{30});
  const auto listed = run({"mix", "authority", "list", "--config", config("a")});
  EXPECT_THAT(listed.out, HasSubstr("--epoch 30s"));
}

TEST_F(MixInit, AKeyMayBeginLikeAnOption) {
  init("a", "authority", {"--listen", "192.0.2.1:9470"});
  for (const std::string begin : {"-", "--", "-_"}) {
    const auto key = begin + std::string(43 - begin.size(), 'A');
    EXPECT_THAT(run({"mix", "node", "add", key, "--config", config("a")}).out, HasSubstr("added"));
    EXPECT_EQ(run({"mix", "node", "remove", key, "--config", config("a")}).status, 0);
  }
  EXPECT_THAT(run({"mix", "node", "add", "--confg", config("a")}).err, HasSubstr("unknown option"));
}

TEST_F(MixInit, SaysWhatIsMissing) {
  const auto says = [&](std::vector<std::string> args, const std::string& what) {
    args.insert(args.begin(), {"init", "--dir", folder_.path("x")});
    const auto ran = run(args);
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, HasSubstr(what));
  };
  const std::string list = "a=" + std::string(43, 'A') + "@192.0.2.1:9470";
  says({"--role", "mix"}, "--authorities");
  says({"--role", "mix", "--authorities", list}, "--address");
  says({"--role", "mix", "--authorities", "a=short"}, "no authority");
  says({"--role", "mix", "--authorities", list + "," + list}, "already");
  says({"--role", "authority"}, "--address");
  says({"--role", "client", "--authorities", list}, "--gateway");
  says({"--role", "client", "--authorities", list, "--gateway", "x@y"}, "KEY@HOST:PORT");
  says({"--role", "client", "--authorities", list, "--proxy", "127.0.0.1:1"}, "nothing for --role client");
  says({"--role", "exit", "--authorities", list}, "nothing for --role exit");
  says({"--role", "mix", "--authorities", list, "--threshold", "2"}, "--threshold");
  says({"--role", "authority", "--listen", "127.0.0.1:1", "--epoch", "1s"}, "--epoch");
  EXPECT_EQ(run({"mix", "client", "add", "short"}).status, 2);
  EXPECT_EQ(run({"mix", "authority"}).status, 2);
  EXPECT_THAT(run({"mix", "authority", "ad"}).err, HasSubstr("did you mean \"add\"?"));
  EXPECT_THAT(run({"mix", "client", "lst"}).err, HasSubstr("did you mean \"list\"?"));
}

TEST_F(MixInit, WhatANodeDrawsDelaysFromMustFitItsDescriptor) {
  auto list = authorities();
  list.insert(list.begin(), {"--listen", "192.0.2.10:9001"});
  init("m", "mix", list);
  const auto problems = [&](const std::string& policy, const std::string& distribution) {
    std::stringstream text;
    text << std::ifstream{config("m")}.rdbuf();
    auto changed = text.str();
    const std::string delay = "\"delay\": {";
    EXPECT_NE(changed.find(delay), std::string::npos);
    changed.insert(changed.find(delay) + delay.size(),
                   "\"policy\": \"" + policy + "\", \"distribution\": " + distribution + ",");
    std::vector<std::string> out;
    for (const auto& error : load_config(folder_.write("m/changed.json", changed)).errors)
      out.push_back(error.message);
    return out;
  };
  const std::string published =
      "[[0,10,12.4],[10,50,23.7],[50,100,28.9],[100,250,19.8],[250,500,11.3],[500,1000,3.9]]";
  std::string nine = "[";
  for (int i = 0; i < 9; ++i) nine += std::string{i == 0 ? "" : ","} + "[0,10,1]";
  nine += "]";
  EXPECT_THAT(problems("vrf", published), testing::IsEmpty());
  EXPECT_THAT(problems("vrf", "\"exponential\""), testing::IsEmpty());
  EXPECT_THAT(problems("max", "[[0,10,1e300],[10,20,1]]"), testing::IsEmpty()) << "weights are relative";
  EXPECT_THAT(problems("vrf", nine), testing::ElementsAre(HasSubstr("8 at most")));
  EXPECT_THAT(problems("max", "[[1,1.0000001,1]]"), testing::ElementsAre(HasSubstr("shorter than")));
  EXPECT_THAT(problems("header", nine), testing::IsEmpty()) << "nothing is drawn";
}

TEST_F(MixInit, AnAuthorityThatNobodyNamesIsRefused) {
  init("a", "authority", {"--listen", "192.0.2.1:9470"});
  const auto other = init("b", "authority", {"--listen", "192.0.2.2:9470"});
  ASSERT_EQ(
      run({"mix", "authority", "add", other.at("authority").get<std::string>(), "--config", config("a")})
          .status,
      0);
  ASSERT_EQ(run({"mix", "authority", "remove", "a", "--config", config("a")}).status, 0);
  const auto outcome = load_config(config("a"));
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_THAT(outcome.errors[0].message, HasSubstr("none of these has its key"));
}

}  // namespace
}  // namespace village::control
