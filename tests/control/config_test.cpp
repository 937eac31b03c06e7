// The configuration as a whole: defaults, files, masking, reload, and the texts made from its table.
#include "village/control/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "control/config_check.hpp"
#include "control/config_table.hpp"
#include "control/config_text.hpp"
#include "control/identity.hpp"
#include "support/vectors.hpp"
#include "temporary_folder.hpp"
#include "village/base/random.hpp"
#include "village/crypto/certificate.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string source = VILLAGE_SOURCE_DIR;

Config config_of(const std::string& text) {
  auto outcome = parse_config(text, "test.json");
  for (const auto& error : outcome.errors) ADD_FAILURE() << error.text();
  return outcome.config.value_or(Config{});
}

Json plain_json(const Config& config) { return config_shape().write(config, Show::plain); }

/// uncommented removes the // of every line of the form `// "key": value,`.
std::string uncommented(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find('\n', at);
    auto line = text.substr(at, end - at);
    if (const auto mark = line.find("// \""); mark != std::string::npos && line.back() == ',')
      line.erase(mark, 3);
    out += line + "\n";
    at = end + 1;
  }
  return out;
}

TEST(Config, AnEmptyOneMeansTheDefaults) {
  const auto config = config_of("{}");
  EXPECT_EQ(config.node.name, "villaged");
  EXPECT_EQ(config.log.level, log::Level::info);
  ASSERT_TRUE(config.control.listen);
  EXPECT_EQ(to_text(*config.control.listen), "127.0.0.1:9464");
  EXPECT_EQ(config.control.socket_path, "state/control.sock");
  EXPECT_EQ(config.htx.session.chunk_bytes, htx::Settings{}.chunk_bytes);
  EXPECT_EQ(config.proxy.default_outbound, "direct");
  ASSERT_EQ(config.proxy.outbounds.size(), 2U);
  EXPECT_EQ(config.proxy.outbounds[0].name, "direct");
  EXPECT_EQ(config.proxy.outbounds[1].name, "block");
}

TEST(Config, EveryFormOfValueIsUnderstood) {
  const auto config = config_of(R"({
    // a comment, /* and */ another
    "log": {"level": "debug", "json": true},
    "net": {"cores": 2, "dns_servers": ["9.9.9.9", "[2620:fe::fe]:5353"]},
    "control": {"listen": null, "drain_timeout": "1500ms"},
    "htx": {"session": {"chunk": 8192, "stream_window_max": "1MiB"}, "backoff_max": "2m",
            "peers": [{"name": "a", "key": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "address": "[2001:db8::1]:443",
                       "outer": "none", "suites": [1]}]},
    "proxy": {"routes": [{"ports": [443, "8000-8999", "25"], "ranges": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"],
                          "network": "udp", "outbound": "a"}],},
  })");
  EXPECT_EQ(config.log.level, log::Level::debug);
  EXPECT_TRUE(config.log.json);
  EXPECT_EQ(config.net.cores, 2U);
  EXPECT_EQ(to_text(config.net.dns_servers[0]), "9.9.9.9:53");
  EXPECT_EQ(to_text(config.net.dns_servers[1]), "[2620:fe::fe]:5353");
  EXPECT_FALSE(config.control.listen);
  EXPECT_EQ(config.control.drain_timeout, 1'500ms);
  EXPECT_EQ(config.htx.session.chunk_bytes, 8'192U);
  EXPECT_EQ(config.htx.session.stream_window_max, 1U << 20);
  EXPECT_EQ(config.htx.backoff_max, 2min);
  EXPECT_EQ(to_text(config.htx.peers[0].address.value()), "[2001:db8::1]:443");
  EXPECT_THAT(config.htx.peers[0].suites, ElementsAre(htx::Suite::xk_chacha_sha256));
  const auto& route = config.proxy.routes[0];
  EXPECT_EQ(route.ports[1].first, 8'000);
  EXPECT_EQ(route.ports[1].last, 8'999);
  EXPECT_EQ(route.ports[2].last, 25);
  EXPECT_EQ(route.ranges[0].bits, 8U);
  EXPECT_EQ(route.ranges[1].address.size(), 16U);
  EXPECT_EQ(route.ranges[2].bits, 32U);
  EXPECT_EQ(route.network, service::Network::udp);
}

TEST(Config, APeerWithAnAddressIsAWayOut) {
  const auto config = config_of(R"({"htx": {"peers": [{"name": "berlin", "key":
      "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "address": "b.example:1"}]}, "proxy": {"default": "berlin"}})");
  ASSERT_EQ(config.proxy.outbounds.size(), 3U);
  EXPECT_EQ(config.proxy.outbounds[2].name, "berlin");
  EXPECT_EQ(config.proxy.outbounds[2].kind, service::OutboundKind::htx);
  EXPECT_EQ(config.proxy.outbounds[2].peer, "berlin");
}

TEST(Config, RelativePathsStartAtItsFolder) {
  const auto outcome =
      parse_config(R"({"node": {"state_dir": "s"}, "htx": {"listen": [{"address": "127.0.0.1:1",
      "certificate": "c.pem", "key": "/k.pem"}]}})",
                   "/etc/villaged/villaged.json");
  ASSERT_TRUE(outcome.config);
  EXPECT_EQ(outcome.config->node.identity_path, "/etc/villaged/identity.key");
  EXPECT_EQ(outcome.config->node.state_dir, "/etc/villaged/s");
  EXPECT_EQ(outcome.config->control.socket_path, "/etc/villaged/s/control.sock");
  EXPECT_EQ(outcome.config->htx.listen[0].certificate_pem_path, "/etc/villaged/c.pem");
  EXPECT_EQ(outcome.config->htx.listen[0].key_pem_path, "/k.pem");
}

TEST(Config, WhatIsWrittenReadsBackTheSame) {
  for (const auto& text : {std::string{"{}"}, test::read_file(source + "/config/villaged.json"),
                           test::read_file(source + "/config/examples/exit.json"),
                           test::read_file(source + "/config/examples/entry.json")}) {
    const auto config = config_of(text);
    const auto again = config_of(plain_json(config).dump());
    EXPECT_EQ(plain_json(config), plain_json(again));
    EXPECT_THAT(restart_keys(config, again), IsEmpty());
  }
}

TEST(Config, TheCommentedExampleShowsTheDefaults) {
  const auto text = commented_config(Json::object(), "");
  EXPECT_EQ(plain_json(config_of(text)), plain_json(config_of("{}")));
  const auto active = uncommented(text);
  EXPECT_NE(active, text);
  EXPECT_EQ(plain_json(config_of(active)), plain_json(config_of("{}")));
  EXPECT_EQ(plain_json(config_of(uncommented(example_config()))), plain_json(config_of(example_config())));
}

/// VILLAGE_UPDATE_GOLDEN=1 writes the files that are made from the table.
TEST(Config, CommittedFilesAreThoseMadeFromTheTable) {
  const std::vector<std::pair<std::string, std::string>> made{
      {"config/villaged.schema.json", config_schema()},
      {"config/villaged.json", example_config()},
      {"docs/man/villaged.json.5", config_manual()}};
  for (const auto& [file, text] : made) {
    if (std::getenv("VILLAGE_UPDATE_GOLDEN") != nullptr) std::ofstream{source + "/" + file} << text;
    EXPECT_EQ(text, test::read_file(source + "/" + file))
        << file << " (VILLAGE_UPDATE_GOLDEN=1 writes it anew)";
  }
}

TEST(Config, ExamplesAreRight) {
  for (const auto* name :
       {"config/villaged.json", "config/examples/exit.json", "config/examples/entry.json"}) {
    const auto outcome = load_config(source + "/" + name, false);
    for (const auto& error : outcome.errors) ADD_FAILURE() << error.text();
    for (const auto& warning : outcome.warnings) ADD_FAILURE() << warning.text();
    EXPECT_TRUE(outcome.config) << name;
  }
}

TEST(Config, TheSchemaKnowsEveryKeyAndRefusesOthers) {
  const auto schema = Json::parse(config_schema());
  const auto written = plain_json(config_of("{}"));
  for (const auto& [section, values] : written.items()) {
    const auto& known = schema.at("properties").at(section);
    EXPECT_EQ(known.at("additionalProperties"), false) << section;
    for (const auto& [key, value] : values.items()) {
      ASSERT_TRUE(known.at("properties").contains(key)) << section << "." << key;
      EXPECT_FALSE(known.at("properties").at(key).at("description").get<std::string>().empty());
    }
  }
  EXPECT_EQ(schema.at("properties").at("control").at("properties").at("token").at("writeOnly"), true);
  EXPECT_EQ(schema.at("properties").at("node").at("properties").at("identity").at("x-reload"), "restart");
}

/// secrets_of collects the keys that the schema marks as secret.
void secrets_of(const Json& schema, const std::string& pointer, std::vector<std::string>& out) {
  if (schema.contains("writeOnly")) out.push_back(pointer);
  if (schema.contains("items")) secrets_of(schema.at("items"), pointer + "/0", out);
  if (!schema.contains("properties")) return;
  for (const auto& [key, child] : schema.at("properties").items())
    secrets_of(child, pointer + "/" + key, out);
}

TEST(Config, TheTestBelowSetsEveryKeyThatIsSecret) {
  std::vector<std::string> secrets;
  secrets_of(Json::parse(config_schema()), "", secrets);
  EXPECT_THAT(secrets, ElementsAre("/control/token", "/proxy/inbounds/0/users/0/password"));
}

TEST(Config, MaskedJsonHidesEverySecret) {
  const auto config =
      config_of(R"({"control": {"token": "s3cret-0123456789abcdef"}, "proxy": {"inbounds": [{"name": "a",
      "listen": "127.0.0.1:1", "users": [{"name": "u", "password": "s3cret-one"}, {"name": "v", "password": "s3cret-two"}]}]}})");
  const auto text = masked_json(config);
  EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  const auto json = Json::parse(text);
  EXPECT_EQ(json.at("control").at("token"), "***");
  EXPECT_EQ(json.at("proxy").at("inbounds").at(0).at("users").at(1).at("password"), "***");
  EXPECT_EQ(json.at("proxy").at("inbounds").at(0).at("users").at(1).at("name"), "v");
  EXPECT_EQ(Json::parse(masked_json(config_of("{}"))).at("control").at("token"), "")
      << "no secret is not hidden";
}

TEST(Config, RestartKeysNamesWhatCannotChangeWhileRunning) {
  const auto before = config_of(R"({"proxy": {"inbounds": [{"name": "a", "listen": "127.0.0.1:1"}]}})");
  const auto changed = [&before](const std::string& text) { return restart_keys(before, config_of(text)); };
  const std::string same = R"("proxy": {"inbounds": [{"name": "a", "listen": "127.0.0.1:1"}]})";
  EXPECT_THAT(changed("{" + same + "}"), IsEmpty());
  EXPECT_THAT(changed("{" + same + R"(, "log": {"level": "debug"}, "control": {"drain_timeout": "1s"}})"),
              IsEmpty());
  EXPECT_THAT(changed(R"({"proxy": {"inbounds": [{"name": "a", "listen": "127.0.0.1:1", "udp": false}]}})"),
              IsEmpty());
  EXPECT_THAT(changed(R"({"proxy": {"inbounds": [{"name": "a", "listen": "127.0.0.1:2"}]}})"),
              ElementsAre("/proxy/inbounds/0/listen"));
  EXPECT_THAT(changed(R"({"proxy": {"inbounds": []}})"), ElementsAre("/proxy/inbounds"));
  EXPECT_THAT(changed("{" + same + R"(, "node": {"name": "x", "state_dir": "y"}, "net": {"cores": 1}})"),
              ElementsAre("/node/name", "/node/state_dir", "/net/cores", "/control/socket",
                          "/htx/tickets/keys", "/mix/keys"));
}

TEST(Config, AFileThatCannotBeReadIsOneError) {
  const auto outcome = load_config("/nowhere/villaged.json");
  EXPECT_FALSE(outcome.config);
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_EQ(outcome.errors[0].text(),
            "/nowhere/villaged.json: cannot read /nowhere/villaged.json: No such file or directory");
  EXPECT_FALSE(load_config("/proc").config) << "a folder is no file";
}

TEST(Config, AFileThatIsTooLargeIsRefusedUnread) {
  const TemporaryFolder folder;
  const auto path = folder.write("large.json", "{" + std::string(limits::config_bytes_max, ' ') + "}");
  const auto outcome = load_config(path);
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_THAT(outcome.errors[0].message, HasSubstr("larger than 1048576 bytes"));
}

/// ConfigFiles has a node's files in a folder.
class ConfigFiles : public testing::Test {
 protected:
  ConfigFiles() {
    SeededRandom random{1};
    std::string problem;
    identity_ = crypto::Ed25519KeyPair::generate(random).public_key;
    SeededRandom again{1};
    VG_CHECK(write_identity(folder_.path("identity.key"), crypto::Ed25519KeyPair::generate(again), problem));
  }
  ConfigOutcome load(const std::string& text) { return load_config(folder_.write("villaged.json", text)); }
  std::string only_error(const std::string& text) {
    const auto outcome = load(text);
    return outcome.errors.size() == 1 ? outcome.errors[0].pointer + ": " + outcome.errors[0].message
                                      : "not one error";
  }
  TemporaryFolder folder_;
  crypto::Ed25519Public identity_;
};

TEST_F(ConfigFiles, TheIdentityIsRead) {
  const auto outcome = load("{}");
  ASSERT_TRUE(outcome.config);
  ASSERT_TRUE(outcome.config->htx.identity);
  EXPECT_EQ(outcome.config->htx.identity->public_key, identity_);
}

TEST_F(ConfigFiles, AnIdentityThatOthersCanReadIsRefused) {
  ::chmod(folder_.path("identity.key").c_str(), 0640);
  EXPECT_THAT(only_error("{}"),
              HasSubstr("/node/identity: " + folder_.path("identity.key") + " can be read by others"));
}

TEST_F(ConfigFiles, AMissingIdentityTellsHowToMakeOne) {
  std::filesystem::remove(folder_.path("identity.key"));
  EXPECT_THAT(only_error("{}"), HasSubstr("\"villaged keygen --out "));
}

TEST_F(ConfigFiles, ADamagedIdentityIsRefused) {
  for (const auto* text :
       {"", "# only a comment\n", "short\n", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"}) {
    folder_.write("identity.key", text);
    EXPECT_THAT(only_error("{}"), HasSubstr("holds no identity")) << text;
  }
}

TEST_F(ConfigFiles, CertificateAndKeyMustBeThere) {
  const std::string text =
      R"({"htx": {"listen": [{"address": "127.0.0.1:1", "certificate": "c.pem", "key": "k.pem"}]}})";
  EXPECT_EQ(load(text).errors.size(), 2U);
  folder_.write("c.pem", "no certificate");
  folder_.write("k.pem", "no key");
  const auto outcome = load(text);
  ASSERT_EQ(outcome.errors.size(), 2U);
  EXPECT_THAT(outcome.errors[0].message, HasSubstr("holds no certificate in PEM"));
  EXPECT_THAT(outcome.errors[1].message, HasSubstr("holds no private key in PEM"));
}

TEST_F(ConfigFiles, AnExpiredCertificateAndAReadableKeyAreWarnings) {
  const auto made = crypto::make_self_signed("a.example", WallTime{std::chrono::hours{24 * 365 * 40}}, 10);
  ASSERT_TRUE(made);
  folder_.write("c.pem", made->certificate_pem);
  ::chmod(folder_.write("k.pem", made->key_pem).c_str(), 0644);
  const auto outcome =
      load(R"({"htx": {"listen": [{"address": "127.0.0.1:1", "certificate": "c.pem", "key": "k.pem"}]}})");
  EXPECT_TRUE(outcome.config);
  std::string warnings;
  for (const auto& warning : outcome.warnings) warnings += warning.message + "\n";
  EXPECT_THAT(warnings, HasSubstr("the certificate has expired"));
  EXPECT_THAT(warnings, HasSubstr("k.pem can be read by others"));
}

TEST_F(ConfigFiles, TheNodeIsNoPeerOfItself) {
  const Json peer{{"name", "me"}, {"key", wire::base64url(identity_)}, {"inbound", true}};
  const Json config{{"htx", {{"peers", Json::array({peer})}}}};
  EXPECT_THAT(only_error(config.dump()), HasSubstr("/htx/peers/0/key: this is the key of this node itself"));
}

TEST_F(ConfigFiles, PasswordsInAFileThatEverybodyReadsAreAWarning) {
  const auto path = folder_.write("villaged.json", R"({"control": {"token": "0123456789abcdef"}})");
  ::chmod(path.c_str(), 0644);
  ASSERT_EQ(load_config(path).warnings.size(), 1U);
  ::chmod(path.c_str(), 0640);
  EXPECT_THAT(load_config(path).warnings, IsEmpty());
}

// --- limits against RLIMIT_NOFILE

struct Fitted {
  Config config;
  std::vector<Diagnostic> errors, warnings;
};

Fitted fit(const std::string& text, rlim_t allowed) {
  Problems problems{"test.json", text};
  const auto document = parse_document(text, problems);
  Fitted out{config_of(text), {}, {}};
  fit_descriptors(out.config, *document, allowed, problems);
  out.errors = problems.take_errors();
  out.warnings = problems.take_warnings();
  return out;
}

const std::string gateway_only = R"({"proxy": {"inbounds": [{"name": "a", "listen": "127.0.0.1:1"}]}})";

TEST(ConfigDescriptors, EnoughDescriptorsChangeNothing) {
  const auto needed = descriptors_needed(config_of(gateway_only));
  for (const rlim_t allowed : {static_cast<rlim_t>(needed), RLIM_INFINITY}) {
    const auto fitted = fit(gateway_only, allowed);
    EXPECT_THAT(fitted.errors, IsEmpty());
    EXPECT_THAT(fitted.warnings, IsEmpty());
    EXPECT_EQ(fitted.config.proxy.connections_max, 20'000U);
  }
  EXPECT_FALSE(fit(gateway_only, static_cast<rlim_t>(needed - 1)).warnings.empty());
}

TEST(ConfigDescriptors, LimitsThatWereNotSetShrinkToFit) {
  for (const rlim_t allowed : {rlim_t{1'024}, rlim_t{4'096}, rlim_t{20'000}}) {
    const auto fitted = fit(gateway_only, allowed);
    EXPECT_THAT(fitted.errors, IsEmpty());
    EXPECT_LT(fitted.config.proxy.connections_max, 20'000U);
    EXPECT_GE(fitted.config.proxy.connections_max, 64U);
    EXPECT_LE(descriptors_needed(fitted.config), allowed);
  }
}

TEST(ConfigDescriptors, LimitsThatWereSetMustFit) {
  const auto fitted = fit(
      R"({"proxy": {"inbounds": [{"name": "a", "listen": "127.0.0.1:1"}], "connections_max": 5000}})", 4'096);
  ASSERT_EQ(fitted.errors.size(), 1U);
  EXPECT_EQ(fitted.errors[0].pointer, "/proxy/connections_max");
  EXPECT_THAT(fitted.errors[0].message, HasSubstr("this process may have 4,096"));
  const auto room =
      fit(R"({"proxy": {"inbounds": [{"name": "a", "listen": "127.0.0.1:1"}], "connections_max": 5000}})",
          12'000);
  EXPECT_THAT(room.errors, IsEmpty());
  EXPECT_EQ(room.config.proxy.connections_max, 5'000U);
  EXPECT_LE(descriptors_needed(room.config), 12'000U);
}

}  // namespace
}  // namespace village::control
