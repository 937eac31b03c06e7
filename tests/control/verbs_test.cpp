// The command line, run in this process with its output caught.
#include "control/verbs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>

#include "control/completion.hpp"
#include "control/json.hpp"
#include "control/peer_uri.hpp"
#include "ran_verb.hpp"
#include "support/vectors.hpp"
#include "temporary_folder.hpp"
#include "village/control/config.hpp"
#include "village/control/verb.hpp"
#include "village/service/ticket_keyring.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Ran run(std::vector<std::string> args) { return run_verb(std::move(args)); }

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

/// in_shell runs a script and gives its standard output; nothing if it failed.
std::optional<std::string> in_shell(const std::string& command) {
  std::string out;
  auto* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  char block[4'096];
  for (std::size_t size = 0; (size = std::fread(block, 1, sizeof block, pipe)) > 0;) out.append(block, size);
  const int status = ::pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return out;
}

TEST(Dispatch, ListsTheVerbs) {
  const auto help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const auto& verb : verbs()) EXPECT_THAT(help.out, HasSubstr("  " + verb.name + " "));
  const auto bare = run({});
  EXPECT_EQ(bare.status, 2);
  EXPECT_EQ(bare.err, help.out);
}

TEST(Dispatch, EveryVerbHasHelpWithAnExample) {
  for (const auto& verb : verbs()) {
    const auto help = run({verb.name, "--help"});
    EXPECT_EQ(help.status, 0) << verb.name;
    EXPECT_THAT(help.out, StartsWith("usage: villaged " + verb.name));
    EXPECT_THAT(help.out, HasSubstr("example")) << verb.name;
    EXPECT_EQ(run({"help", verb.name}).out, help.out);
    for (const auto& option : verb.options) {
      EXPECT_THAT(help.out, HasSubstr(option.substr(0, option.find(' ')))) << verb.name;
    }
    for (const auto& word : verb.words) EXPECT_THAT(help.out, HasSubstr(word)) << verb.name;
  }
}

TEST(Dispatch, NamesTheNearestVerbAndOption) {
  EXPECT_EQ(run({"chekc"}).status, 2);
  EXPECT_EQ(run({"chekc"}).err, "villaged: there is no verb \"chekc\"; did you mean \"check\"?\n");
  EXPECT_THAT(run({"frobnicate"}).err, HasSubstr("\"villaged --help\" lists them"));
  EXPECT_EQ(run({"check", "--confg", "x"}).err,
            "villaged check: unknown option --confg; did you mean --config?\n");
  EXPECT_EQ(run({"check", "--confg", "x"}).status, 2);
}

TEST(Dispatch, BadUsageIsStatusTwoAndOneLine) {
  const std::vector<std::vector<std::string>> bad{
      {"init"},
      {"init", "--dir"},
      {"init", "--dir", "/tmp/x", "--role", "both"},
      {"init", "--dir", "/tmp/x", "--name", "Not A Name"},
      {"init", "--dir", "/tmp/x", "--listen", "example.org:1"},
      {"init", "--dir", "/tmp/x", "--control", "0.0.0.0:1"},
      {"init", "--dir", "/tmp/x", "--peer", "http://x"},
      {"init", "--dir=/tmp/x", "--json=yes"},
      {"init", "--dir", "/tmp/x", "--dir", "/tmp/y"},
      {"init", "--dir", "/tmp/x", "surplus"},
      {"peer"},
      {"peer", "frob"},
      {"peer", "add"},
      {"peer", "add", "--inbound", "short"},
      {"peer", "remove"},
      {"peer", "list", "a", "b"},
      {"check", "a", "b"},
      {"keygen", "x"},
      {"limits", "x"},
      {"version", "x"},
      {"completion"},
      {"completion", "tcsh"},
      {"status", "x"},
  };
  for (const auto& args : bad) {
    const auto ran = run(args);
    EXPECT_EQ(ran.status, 2) << testing::PrintToString(args);
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_THAT(ran.out, IsEmpty());
  }
}

TEST(Keygen, WritesAFileThatOnlyItsOwnerReads) {
  const TemporaryFolder folder;
  const auto path = folder.path("identity.key");
  const auto made = run({"keygen", "--out", path, "--json"});
  EXPECT_EQ(made.status, 0);
  EXPECT_EQ(mode_of(path), 0600U);
  const auto json = Json::parse(made.out);
  EXPECT_THAT(json.at("node").get<std::string>(), StartsWith("bn1:"));
  EXPECT_EQ(json.at("key").get<std::string>().size(), 43U);
  EXPECT_FALSE(json.contains("seed"));
  const auto text = test::read_file(path);
  EXPECT_EQ(run({"keygen", "--out", path}).status, 1) << "never overwrites";
  EXPECT_EQ(test::read_file(path), text);
  EXPECT_NE(run({"keygen"}).out, run({"keygen"}).out);
}

TEST(Limits, SumsWhatEachModuleMayTake) {
  const auto json = Json::parse(run({"limits", "--json"}).out);
  std::uint64_t total = 0;
  for (const auto& module : json.at("modules")) total += module.at("bytes").get<std::uint64_t>();
  EXPECT_EQ(json.at("bytes"), total);
  EXPECT_GT(total, 0U);
  EXPECT_THAT(run({"limits"}).out, HasSubstr("http_connections_max"));
}

TEST(Version, IsTheProjects) {
  EXPECT_THAT(run({"version"}).out, StartsWith("villaged " + std::string{version()} + " ("));
  EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
  EXPECT_EQ(Json::parse(run({"version", "--json"}).out).at("version"), std::string{version()});
}

// --- check

TEST(Check, TellsEveryMistakeWithItsPlace) {
  const TemporaryFolder folder;
  const auto path = folder.write("bad.json", "{\n  \"log\": {\"level\": \"loud\"},\n  \"nett\": {}\n}\n");
  const auto ran = run({"check", "--config", path});
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, StartsWith(path + ":2:20: /log/level: expected"));
  EXPECT_THAT(
      ran.err,
      HasSubstr(path + ":3:3: /nett: unknown key \"nett\"; did you mean \"net\"?\n2 errors in " + path));
  const auto json = Json::parse(run({"check", "--config", path, "--json"}).out);
  EXPECT_EQ(json.at("ok"), false);
  EXPECT_EQ(json.at("errors").size(), 2U);
  EXPECT_EQ(json.at("errors").at(1).at("line"), 3);
  EXPECT_EQ(json.at("errors").at(1).at("pointer"), "/nett");
  EXPECT_EQ(run({"check", "--config", folder.path("none.json")}).status, 2);
}

// --- init

TEST(Init, MakesANodeThatPassesCheck) {
  for (const std::string role : {"exit", "entry"}) {
    const TemporaryFolder folder;
    const auto directory = folder.path("node");
    const auto made = run({"init", "--dir", directory, "--role", role, "--name", "alpha"});
    EXPECT_EQ(made.status, 0) << made.err;
    EXPECT_THAT(made.out, HasSubstr("node  bn1:"));
    EXPECT_EQ(mode_of(directory), 0700U);
    EXPECT_EQ(mode_of(directory + "/identity.key"), 0600U);
    EXPECT_EQ(mode_of(directory + "/certificate.key"), 0600U);
    EXPECT_EQ(mode_of(directory + "/state"), 0700U);
    const auto checked = run({"check", "--config", directory + "/villaged.json"});
    EXPECT_EQ(checked.status, 0) << checked.err;
    const auto config = load_config(directory + "/villaged.json").config;
    ASSERT_TRUE(config);
    EXPECT_EQ(config->node.name, "alpha");
    EXPECT_EQ(config->htx.exit.enabled, role == "exit");
    EXPECT_EQ(config->htx.listen.size(), role == "exit" ? 1U : 0U);
    EXPECT_EQ(config->proxy.inbounds.size(), role == "exit" ? 0U : 1U);
    if (role == "entry") {
      EXPECT_EQ(config->proxy.default_outbound, "block") << "nothing leaves before there is an exit";
    }
  }
}

TEST(Init, NeverOverwrites) {
  const TemporaryFolder folder;
  for (const auto* name : {"identity.key", "certificate.pem", "certificate.key", "villaged.json"}) {
    folder.write(name, "precious");
    const auto ran = run({"init", "--dir", folder.path("")});
    EXPECT_EQ(ran.status, 1) << name;
    EXPECT_THAT(ran.err, HasSubstr(std::string{name} + " is there already"));
    EXPECT_EQ(test::read_file(folder.path(name)), "precious");
    std::filesystem::remove(folder.path(name));
    EXPECT_TRUE(std::filesystem::is_empty(folder.path("")));
  }
}

TEST(Init, TakesItsAddressesAndAnswersInJson) {
  const TemporaryFolder folder;
  const auto made = run({"init", "--dir", folder.path("x"), "--role=exit", "--listen", "[::1]:0", "--control",
                         "none", "--allow-private", "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto json = Json::parse(made.out);
  const auto config = load_config(json.at("config").get<std::string>()).config;
  ASSERT_TRUE(config);
  EXPECT_EQ(to_text(config->htx.listen[0].address), "[::1]:0");
  EXPECT_FALSE(config->control.listen);
  EXPECT_TRUE(config->htx.exit.allow_private);
  EXPECT_EQ(json.at("files").size(), 6U);  // with the ticket keys
}

TEST(Init, AFolderThatCannotBeMadeFails) {
  const TemporaryFolder folder;
  const auto file = folder.write("file", "");
  EXPECT_EQ(run({"init", "--dir", file + "/x"}).status, 1);
  EXPECT_EQ(run({"init", "--dir", file}).status, 1);
}

// --- peer

/// TwoNodes has an exit and an entry made by init.
class TwoNodes : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(run({"init", "--dir", folder_.path("exit"), "--role", "exit", "--name", "berlin"}).status, 0);
    exit_ = folder_.path("exit/villaged.json");
    entry_ = folder_.path("entry/villaged.json");
  }
  std::string invite() {
    auto uri = run({"peer", "invite", "exit.example.org:8443", "--config", exit_}).out;
    if (!uri.empty()) uri.pop_back();
    return uri;
  }
  /// words cuts a printed command into its arguments, without the program's name.
  static std::vector<std::string> words(const std::string& command) {
    std::istringstream in{command};
    std::vector<std::string> out;
    for (std::string word; in >> word;) out.push_back(word);
    if (!out.empty()) out.erase(out.begin());
    return out;
  }
  static Config config_of(const std::string& path) {
    auto outcome = load_config(path);
    for (const auto& error : outcome.errors) ADD_FAILURE() << error.text();
    return outcome.config.value_or(Config{});
  }
  TemporaryFolder folder_;
  std::string exit_, entry_;
};

TEST_F(TwoNodes, TalkAfterTwoInitsAndTwoPeerCommands) {
  const auto uri = invite();
  const auto made =
      run({"init", "--dir", folder_.path("entry"), "--name", "laptop", "--peer", uri, "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  auto admit = words(Json::parse(made.out).at("admit").get<std::string>());
  admit.insert(admit.end(), {"--config", exit_});
  const auto added = run(admit);
  ASSERT_EQ(added.status, 0) << added.err;
  EXPECT_THAT(added.out, HasSubstr("added    laptop  bn1:"));

  const auto entry = config_of(entry_), exit = config_of(exit_);
  ASSERT_EQ(entry.htx.peers.size(), 1U);
  ASSERT_EQ(exit.htx.peers.size(), 1U);
  EXPECT_EQ(entry.htx.peers[0].key, exit.htx.identity->public_key);
  EXPECT_EQ(exit.htx.peers[0].key, entry.htx.identity->public_key);
  EXPECT_TRUE(exit.htx.peers[0].allow_inbound);
  EXPECT_TRUE(entry.htx.peers[0].pin);
  EXPECT_EQ(entry.proxy.default_outbound, "berlin");
  EXPECT_EQ(run({"check", "--config", exit_}).status, 0);
}

TEST_F(TwoNodes, RotatedTicketKeyIsInTheNextInvitation) {
  const auto id_of = [](const std::string& uri) {
    std::string problem;
    const auto peer = parse_peer_uri(uri, problem);
    return peer && peer->ticket ? wire::base64url(peer->ticket->id) : "none: " + problem;
  };
  const auto key_path = config_of(exit_).htx.tickets.key_path;
  const auto expect_private = [&key_path] {
    struct stat status {};
    ASSERT_EQ(::stat(key_path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
  };
  const auto first = id_of(invite());
  ASSERT_EQ(first.size(), 11U) << first;
  expect_private();

  const auto rotated = run({"peer", "rotate-tickets", "--no-reload", "--config", exit_});
  EXPECT_EQ(rotated.status, 0) << rotated.err;
  const auto second = id_of(invite());
  EXPECT_NE(second, first);
  EXPECT_THAT(rotated.out, StartsWith("new   " + second + "\nalso  " + first + "\n"));
  EXPECT_EQ(service::TicketKeyring::read(key_path).value().keys().size(), 2U);
  expect_private();

  const auto revoked = run({"peer", "rotate-tickets", "--revoke", "--no-reload", "--config", exit_});
  EXPECT_EQ(revoked.status, 0) << revoked.err;
  const auto third = id_of(invite());
  EXPECT_THAT(revoked.out, StartsWith("new   " + third + "\nevery peer"));
  const auto left = service::TicketKeyring::read(key_path).value();
  ASSERT_EQ(left.keys().size(), 1U);
  EXPECT_EQ(wire::base64url(left.keys()[0].secret.open.id), third);
  EXPECT_THAT((std::vector<std::string>{first, second}), Not(testing::Contains(third)));
  expect_private();
}

TEST_F(TwoNodes, RotatingDamagedOrReadableTicketKeysChangesNothing) {
  const auto key_path = config_of(exit_).htx.tickets.key_path;
  ASSERT_FALSE(invite().empty());
  const auto before = test::read_file(key_path);
  ASSERT_EQ(::chmod(key_path.c_str(), 0644), 0);
  const auto ran = run({"peer", "rotate-tickets", "--revoke", "--no-reload", "--config", exit_});
  EXPECT_NE(ran.status, 0);
  EXPECT_THAT(ran.err, HasSubstr("chmod 600"));
  EXPECT_EQ(test::read_file(key_path), before);
}

TEST_F(TwoNodes, TalkWhenTheInvitationComesLater) {
  ASSERT_EQ(run({"init", "--dir", folder_.path("entry"), "--name", "laptop"}).status, 0);
  const auto added = run({"peer", "add", invite(), "--config", entry_});
  ASSERT_EQ(added.status, 0) << added.err;
  EXPECT_THAT(added.out, HasSubstr("leaves through it now"));
  EXPECT_EQ(config_of(entry_).proxy.default_outbound, "berlin");
  const auto admit = run({"peer", "invite", "--config", entry_});
  EXPECT_THAT(admit.out, StartsWith("villaged peer add --inbound "));
  auto command = words(admit.out);
  command.insert(command.end(), {"--config", exit_});
  EXPECT_EQ(run(command).status, 0);
  EXPECT_EQ(config_of(exit_).htx.peers.at(0).name, "laptop");
}

TEST_F(TwoNodes, AddAndRemoveKeepEverythingElse) {
  ASSERT_EQ(run({"init", "--dir", folder_.path("entry")}).status, 0);
  const auto before = test::read_file(entry_);
  const auto inode_mode = mode_of(entry_);
  ASSERT_EQ(run({"peer", "add", invite(), "--no-route", "--config", entry_}).status, 0);
  const auto with_peer = test::read_file(entry_);
  EXPECT_EQ(mode_of(entry_), inode_mode);
  std::istringstream lines{before};
  for (std::string line; std::getline(lines, line);) {
    if (line.find("\"peers\"") == std::string::npos) {
      EXPECT_THAT(with_peer, HasSubstr(line));
    }
  }
  ASSERT_EQ(run({"peer", "remove", "berlin", "--config", entry_}).status, 0);
  const auto comments = [](const std::string& text) { return std::count(text.begin(), text.end(), '/'); };
  EXPECT_EQ(comments(test::read_file(entry_)), comments(before));
  EXPECT_THAT(config_of(entry_).htx.peers, IsEmpty());
}

TEST_F(TwoNodes, RemovingTheWayOutBlocksInsteadOfLeaking) {
  ASSERT_EQ(run({"init", "--dir", folder_.path("entry"), "--peer", invite()}).status, 0);
  const auto removed = run({"peer", "remove", "berlin", "--config", entry_});
  EXPECT_EQ(removed.status, 0);
  EXPECT_THAT(removed.out, HasSubstr("blocked now"));
  EXPECT_EQ(config_of(entry_).proxy.default_outbound, "block");
}

TEST_F(TwoNodes, RemovingAPeerThatARouteNeedsIsRefused) {
  ASSERT_EQ(run({"init", "--dir", folder_.path("entry"), "--peer", invite()}).status, 0);
  auto text = test::read_file(entry_);
  const std::string marker = "// \"routes\": [],";
  ASSERT_NE(text.find(marker), std::string::npos);
  text.replace(text.find(marker), marker.size(), R"("routes": [{"ports": [80], "outbound": "berlin"}],)");
  folder_.write("entry/villaged.json", text);
  const auto removed = run({"peer", "remove", "berlin", "--config", entry_});
  EXPECT_EQ(removed.status, 1);
  EXPECT_THAT(removed.err, HasSubstr("/proxy/routes/0/outbound: there is no outbound \"berlin\""));
  EXPECT_EQ(test::read_file(entry_), text);
}

TEST_F(TwoNodes, AddingAKnownPeerRenewsIt) {
  ASSERT_EQ(run({"init", "--dir", folder_.path("entry"), "--peer", invite()}).status, 0);
  const auto moved = run({"peer", "invite", "new.example.org:443", "--config", exit_, "--no-pin"}).out;
  const auto added = run({"peer", "add", moved, "--config", entry_});
  EXPECT_THAT(added.out, HasSubstr("changed  berlin"));
  const auto entry = config_of(entry_);
  ASSERT_EQ(entry.htx.peers.size(), 1U);
  EXPECT_EQ(to_text(entry.htx.peers[0].address.value()), "new.example.org:443");
  EXPECT_FALSE(entry.htx.peers[0].pin);
}

TEST_F(TwoNodes, NamesAreMadeUnique) {
  const auto key_of = [this](int i) {
    return Json::parse(run({"keygen", "--json"}).out).at("key").get<std::string>() + (i < 0 ? exit_ : "");
  };
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(run({"peer", "add", "--inbound=" + key_of(i), "--name", "guest", "--config", exit_}).status, 0);
  }
  const auto exit = config_of(exit_);
  ASSERT_EQ(exit.htx.peers.size(), 3U);
  EXPECT_EQ(exit.htx.peers[1].name, "guest-2");
  EXPECT_EQ(exit.htx.peers[2].name, "guest-3");
}

TEST_F(TwoNodes, ListShowsThem) {
  ASSERT_EQ(run({"init", "--dir", folder_.path("entry"), "--peer", invite()}).status, 0);
  EXPECT_THAT(run({"peer", "list", "--config", entry_}).out, HasSubstr("dial exit.example.org:8443 tls"));
  const auto json = Json::parse(run({"peer", "list", "--json", "--config", entry_}).out);
  EXPECT_EQ(json.at("peers").at(0).at("name"), "berlin");
  EXPECT_THAT(run({"peer", "list", "--config", exit_}).out, StartsWith("no peers"));
}

TEST_F(TwoNodes, InviteNeedsAPublicAddress) {
  const auto bare = run({"peer", "invite", "--config", exit_});
  EXPECT_EQ(bare.status, 2);
  EXPECT_THAT(bare.err, HasSubstr("villaged peer invite HOST:PORT"));
  EXPECT_THAT(run({"peer", "invite", "exit.example.org", "--config", exit_}).out,
              HasSubstr("@exit.example.org:8443?"))
      << "port of listen";
  EXPECT_THAT(run({"peer", "invite", "2001:db8::1", "--config", exit_}).out,
              HasSubstr("@[2001:db8::1]:8443?"));
  EXPECT_THAT(run({"peer", "invite", "a.example:1", "--config", exit_}).out, HasSubstr("&name=berlin\n"));
}

TEST_F(TwoNodes, ABrokenConfigurationIsNotEdited) {
  const auto broken = folder_.write("broken.json", "{\"log\": {\"level\": \"loud\"}}");
  const auto ran = run({"peer", "add", invite(), "--config", broken});
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, HasSubstr("correct these errors first"));
  EXPECT_EQ(test::read_file(broken), "{\"log\": {\"level\": \"loud\"}}");
}

TEST_F(TwoNodes, ALinkToTheConfigurationStaysALink) {
  const auto link = folder_.path("link.json");
  std::filesystem::create_symlink(exit_, link);
  const auto key = Json::parse(run({"keygen", "--json"}).out).at("key").get<std::string>();
  ASSERT_EQ(run({"peer", "add", "--inbound", key, "--config", link}).status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(config_of(exit_).htx.peers.size(), 1U);
}

TEST(Status, SaysWhenNobodyAnswers) {
  const TemporaryFolder folder;
  const auto ran = run({"status", "--socket", folder.path("none.sock")});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("no villaged answers at"));
}

// --- completion and manual

TEST(Completion, BashSuggestsVerbsOptionsAndValues) {
  const TemporaryFolder folder;
  const auto script = folder.write("completion.bash", run({"completion", "bash"}).out);
  ASSERT_TRUE(in_shell("bash -n " + script));
  const auto suggest = [&](const std::string& words, int at) {
    const auto out =
        in_shell("bash -c '. " + script + "; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(at) +
                 "; _villaged; echo \"${COMPREPLY[*]}\"'");
    return out.value_or("failed");
  };
  EXPECT_EQ(suggest("villaged ini", 1), "init\n");
  EXPECT_EQ(suggest("villaged init --ro", 2), "--role\n");
  EXPECT_EQ(suggest("villaged init --role e", 3), "exit entry\n");
  EXPECT_EQ(suggest("villaged peer in", 2), "invite\n");
  EXPECT_EQ(suggest("villaged completion \"\"", 2), "bash zsh fish --help\n");
}

TEST(Completion, OtherShellsParseTheirScripts) {
  const TemporaryFolder folder;
  bool checked = false;
  for (const std::string shell : {"zsh", "fish"}) {
    const auto script = folder.write("completion." + shell, run({"completion", shell}).out);
    for (const auto& verb : verbs()) EXPECT_THAT(test::read_file(script), HasSubstr(verb.name));
    if (!in_shell("command -v " + shell)) continue;
    EXPECT_TRUE(in_shell(shell + " -n " + script)) << shell;
    checked = true;
  }
  if (!checked) GTEST_SKIP() << "neither zsh nor fish is installed: scripts not parsed";
}

TEST(Completion, IsMadeFromTheTable) {
  const std::vector<Verb> table{{"frob", "does it", "", {}, {"now"}, {"--how slow|fast"}}};
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(shell, table).value();
    for (const auto* word : {"frob", "now", "how", "slow"}) EXPECT_THAT(script, HasSubstr(word)) << shell;
    EXPECT_THAT(script, Not(HasSubstr("init")));
  }
}

/// plain takes troff's escapes out.
std::string plain(std::string text) {
  std::erase(text, '\\');
  return text;
}

TEST(Manual, NamesEveryVerbWithItsWordsAndOptions) {
  const auto manual = plain(test::read_file(std::string{VILLAGE_SOURCE_DIR} + "/docs/man/villaged.1"));
  ASSERT_FALSE(manual.empty());
  auto table = verbs();
  for (const auto* other : {"run", "demo"}) table.push_back({other, "", "", {}});
  for (const auto& verb : table) {
    const auto begin = manual.find(".SS " + verb.name);
    ASSERT_NE(begin, std::string::npos) << verb.name;
    const auto section = manual.substr(begin, manual.find(".SS ", begin + 4) - begin);
    for (const auto& word : verb.words) EXPECT_THAT(section, HasSubstr(word)) << verb.name;
    for (const auto& option : verb.options)
      EXPECT_THAT(section, HasSubstr(option.substr(0, option.find(' ')))) << verb.name;
  }
}

TEST(Manual, NamesEverySectionOfTheConfiguration) {
  const auto manual = plain(test::read_file(std::string{VILLAGE_SOURCE_DIR} + "/docs/man/villaged.json.5"));
  const auto schema = Json::parse(config_schema());
  for (const auto& [section, described] : schema.at("properties").items()) {
    EXPECT_THAT(manual, HasSubstr(section)) << section;
    if (!described.contains("properties")) continue;
    for (const auto& [key, value] : described.at("properties").items())
      EXPECT_THAT(manual, HasSubstr(section + "." + key));
  }
}

}  // namespace
}  // namespace village::control
