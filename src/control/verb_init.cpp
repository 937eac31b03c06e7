// villaged init: a node from nothing.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>

#include "control/arguments.hpp"
#include "control/config_text.hpp"
#include "control/files.hpp"
#include "control/identity.hpp"
#include "control/peer_entry.hpp"
#include "control/peer_uri.hpp"
#include "control/text_forms.hpp"
#include "control/verbs.hpp"
#include "village/control/config.hpp"
#include "village/crypto/certificate.hpp"
#include "village/crypto/random.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

constexpr int certificate_days = 3'650;

/// Plan is what the user asked for, checked before anything is made.
struct Plan {
  std::string directory;
  std::string name;
  bool exit = false;
  bool allow_private = false;
  std::optional<service::TunnelPeer> peer;
  std::string listen, proxy, control;  ///< addresses; control may be "none"
};

/// host_label makes a name of ours of the machine's.
std::string host_label(const std::string& fallback) {
  std::array<char, 256> raw{};
  if (::gethostname(raw.data(), raw.size() - 1) != 0) return fallback;
  std::string name;
  for (const char* c = raw.data(); *c != '\0' && *c != '.' && name.size() < 63; ++c) {
    const char lower = *c >= 'A' && *c <= 'Z' ? static_cast<char>(*c - 'A' + 'a') : *c;
    name.push_back(is_label({&lower, 1}) ? lower : '-');
  }
  return is_label(name) && name != "direct" && name != "block" ? name : fallback;
}

/// read_plan fills `plan`; the text returned is what is wrong, "" if nothing.
std::string read_plan(const Arguments& arguments, Plan& plan) {
  if (!arguments.problem().empty()) return arguments.problem();
  if (!arguments.rest().empty()) return "unexpected \"" + arguments.rest().front() + "\"";
  const auto directory = arguments.value("--dir");
  if (!directory || directory->empty()) return "say where: --dir DIR";
  plan.directory = *directory;
  const auto role = arguments.value_or("--role", "entry");
  if (role != "exit" && role != "entry") return "--role is exit or entry";
  plan.exit = role == "exit";
  plan.allow_private = arguments.has("--allow-private");
  plan.name = arguments.value_or("--name", host_label(role));
  if (!is_label(plan.name)) return "--name takes 1 to 63 characters of a-z, 0-9 and \"-\"";
  plan.listen = arguments.value_or("--listen", "0.0.0.0:8443");
  plan.proxy = arguments.value_or("--proxy", "127.0.0.1:1080");
  plan.control = arguments.value_or("--control", plan.exit ? "127.0.0.1:9464" : "127.0.0.1:9465");
  for (const auto* address : {&plan.listen, &plan.proxy, &plan.control}) {
    if (address == &plan.control && *address == "none") continue;
    const auto target = parse_target(*address, true);
    if (!target || std::holds_alternative<DomainName>(target->host))
      return *address + " is no IP address and port";
    if (address == &plan.control && !is_loopback(*target))
      return "--control takes a loopback address; see \"token\" in villaged.json(5)";
  }
  if (const auto uri = arguments.value("--peer")) {
    std::string problem;
    plan.peer = parse_peer_uri(*uri, problem);
    if (!plan.peer) return problem;
    if (plan.peer->name.empty()) plan.peer->name = "exit";
  }
  return {};
}

std::string config_of(const Plan& plan) {
  Json values;
  values["node"] = {{"name", plan.name}, {"identity", "identity.key"}, {"state_dir", "state"}};
  values["control"] = {{"listen", plan.control == "none" ? Json(nullptr) : Json(plan.control)}};
  values["htx"] = Json::object();
  if (plan.exit) {
    values["htx"]["listen"] = Json::array({{{"address", plan.listen},
                                            {"outer", "tls"},
                                            {"certificate", "certificate.pem"},
                                            {"key", "certificate.key"}}});
  }
  if (plan.exit) values["htx"]["decoy"] = {{"directory", "decoy"}};
  values["htx"]["peers"] = Json::array();
  if (plan.peer) values["htx"]["peers"].push_back(peer_entry(*plan.peer));
  if (plan.exit) values["htx"]["exit"] = {{"enabled", true}};
  if (plan.exit && plan.allow_private) values["htx"]["exit"]["allow_private"] = true;
  values["proxy"] = Json::object();
  if (!plan.exit) {
    values["proxy"]["inbounds"] = Json::array({{{"name", "local"}, {"listen", plan.proxy}}});
    // Nothing leaves by accident: without a peer there is no way out.
    values["proxy"]["default"] = plan.peer ? plan.peer->name : "block";
  }
  return commented_config(
      values,
      "Configuration of the node \"" + plan.name +
          "\", made by villaged init. See villaged.json(5).\n"
          "JSON with comments. A line // \"key\": value shows a default; remove the // to change it.\n"
          "\"villaged check --config FILE\" tells every mistake, SIGHUP applies changes.");
}

/// The page that the world's web servers show when nobody has written another; a page of our own would be a
/// sign.
constexpr std::string_view decoy_page = "<html><body><h1>It works!</h1></body></html>\n";

/// Maker makes files and takes them away again if it cannot make all.
class Maker {
 public:
  explicit Maker(const Plan& plan) : plan_{plan} {}

  bool run() {
    if (make_all()) return true;
    for (const auto& file : made_) ::unlink(file.c_str());
    return false;
  }
  const std::string& problem() const { return problem_; }
  const std::vector<std::string>& made() const { return made_; }
  const crypto::Ed25519Public& key() const { return key_; }
  std::string path(const char* name) const { return plan_.directory + "/" + name; }

 private:
  bool make_all() {
    for (const auto* name : {"identity.key", "certificate.pem", "certificate.key", "villaged.json"}) {
      if (::access(path(name).c_str(), F_OK) == 0) {
        problem_ = path(name) + " is there already; nothing was changed (choose another --dir)";
        return false;
      }
    }
    if (!make_directory(plan_.directory)) return false;
    crypto::SystemRandom random;
    const auto identity = crypto::Ed25519KeyPair::generate(random);
    key_ = identity.public_key;
    if (!write_identity(path("identity.key"), identity, problem_)) return false;
    keep(path("identity.key"));
    if (plan_.exit && !(make_directory(path("decoy")) && make_file("decoy/index.html", decoy_page, 0644)))
      return false;
    return make_certificate() && make_file("villaged.json", config_of(plan_), 0640) &&
           make_directory(path("state"));
  }

  bool make_directory(const std::string& directory) {
    struct stat status {};
    if (::mkdir(directory.c_str(), 0700) == 0) {
      give(directory);
    } else if (errno != EEXIST || ::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
      problem_ = "cannot make the folder " + directory + ": " + std::generic_category().message(errno);
      return false;
    } else if (directory == plan_.directory) {
      owner_ = status.st_uid;
      group_ = status.st_gid;
    }
    return true;
  }

  bool make_certificate() {
    const WallTime now{
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
    auto certificate = crypto::make_self_signed(plan_.name, now, certificate_days);
    if (!certificate) {
      problem_ = "cannot make a certificate";
      return false;
    }
    const bool made = make_file("certificate.pem", certificate->certificate_pem, 0644) &&
                      make_file("certificate.key", certificate->key_pem, 0600);
    crypto::wipe({reinterpret_cast<std::byte*>(certificate->key_pem.data()), certificate->key_pem.size()});
    return made;
  }

  bool make_file(const char* name, std::string_view content, mode_t mode) {
    if (!write_new_file(path(name), content, mode, problem_)) return false;
    keep(path(name));
    return true;
  }
  void keep(const std::string& file) {
    made_.push_back(file);
    give(file);
  }
  /// give hands what root made in somebody's folder to the owner of that folder.
  void give(const std::string& file) {
    if (::geteuid() != 0 || owner_ == 0) return;
    [[maybe_unused]] const auto given = ::chown(file.c_str(), owner_, group_);
  }

  const Plan& plan_;
  std::string problem_;
  std::vector<std::string> made_;
  crypto::Ed25519Public key_{};
  uid_t owner_ = 0;
  gid_t group_ = 0;
};

std::string next_steps(const Plan& plan, const Maker& maker) {
  const auto config = maker.path("villaged.json");
  const auto admit = admit_command(maker.key(), plan.name);
  if (plan.exit) {
    return "next\n"
           "  villaged peer invite PUBLIC-HOST:PORT --config " +
           config +
           "\n"
           "      prints one line to paste on the other node: villaged init --role entry --peer 'htx://...'\n"
           "  villaged peer add --inbound KEY --name NAME --config " +
           config +
           "\n"
           "      lets that node in; its init prints this command with its key\n"
           "  villaged run --config " +
           config + "\n";
  }
  const auto use = "  villaged run --config " + config + "\n  curl --socks5-hostname " + plan.proxy +
                   " https://example.org/\n";
  if (plan.peer) return "next, on " + plan.peer->name + "\n  " + admit + "\nthen here\n" + use;
  return "next, with an invitation that \"villaged peer invite\" printed on an exit\n"
         "  villaged peer add 'htx://...' --config " +
         config +
         "\n"
         "on that exit\n  " +
         admit + "\nthen here\n" + use;
}

int run(const std::vector<std::string>& args) {
  const Arguments arguments{args, init_verb().options};
  Plan plan;
  if (auto problem = read_plan(arguments, plan); !problem.empty())
    return complain("init", problem, exit_usage);
  Maker maker{plan};
  if (!maker.run()) return complain("init", maker.problem(), exit_failed);
  const auto node = node_name(maker.key()), key = wire::base64url(maker.key());
  if (arguments.has("--json")) {
    print(Json{{"node", node},
               {"key", key},
               {"name", plan.name},
               {"role", plan.exit ? "exit" : "entry"},
               {"config", maker.path("villaged.json")},
               {"files", maker.made()},
               {"admit", admit_command(maker.key(), plan.name)}}
              .dump(2) +
          "\n");
    return exit_fine;
  }
  std::string text;
  for (const auto& file : maker.made()) text += "made  " + file + "\n";
  text += "node  " + node + "\nkey   " + key + "\n\n" + next_steps(plan, maker);
  print(text);
  return exit_fine;
}

}  // namespace

Verb init_verb() {
  return {
      "init",
      "make keys and a configuration",
      "usage: villaged init --dir DIR [--role exit|entry] [--name NAME] [--peer URI] [--listen ADDRESS]\n"
      "                     [--proxy ADDRESS] [--control ADDRESS] [--allow-private] [--json]\n"
      "\n"
      "Makes a node in DIR: identity.key (its key, mode 0600), certificate.pem and certificate.key "
      "(self-signed, for\n"
      "outer TLS), villaged.json (explained line by line) and state/. Never overwrites.\n"
      "An exit lets peers' traffic out to the internet and listens on 0.0.0.0:8443 (--listen). An entry, the "
      "default,\n"
      "opens a SOCKS5 and HTTP proxy on 127.0.0.1:1080 (--proxy) and sends everything through its exit: the "
      "one whose\n"
      "invitation --peer gives, or the first that \"villaged peer add\" brings; until then nothing leaves.\n"
      "NAME is the machine's name if not given. --control none switches HTTP over TCP off.\n"
      "--allow-private lets an exit's peers reach loopback and private addresses too, as tests on one "
      "machine need.\n"
      "\n"
      "example, two machines:\n"
      "  exit$  villaged init --dir ~/.villaged --role exit\n"
      "  exit$  villaged peer invite exit.example.org:8443 --config ~/.villaged/villaged.json\n"
      "  entry$ villaged init --dir ~/.villaged --peer 'htx://...'\n"
      "  exit$  villaged peer add --inbound KEY --name entry --config ~/.villaged/villaged.json\n",
      run,
      {},
      {"--dir DIR", "--role exit|entry", "--name NAME", "--peer URI", "--listen ADDRESS", "--proxy ADDRESS",
       "--control ADDRESS", "--allow-private", "--json"}};
}

}  // namespace village::control
