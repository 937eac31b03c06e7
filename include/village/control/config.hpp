#pragma once
// Config: the one JSON file, read with comments, checked to the last key, every error with its place and
// cure.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "village/base/log.hpp"
#include "village/base/target.hpp"
#include "village/service/gateway_options.hpp"
#include "village/service/mix_options.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::control {

struct NodeOptions {          // section "node"
  std::string name;           ///< the operator's word for this node
  std::string identity_path;  ///< Ed25519 seed file, 0600
  std::string state_dir;      ///< lock, control socket, later stores
};
struct LogOptions {  // section "log"
  log::Level level = log::Level::info;
  bool json = false;
  bool identities = false;  ///< log peers' addresses and ids in clear
};
struct NetOptions {                 // section "net"
  std::uint32_t cores = 0;          ///< 0 = every CPU the process may use
  std::string congestion = "auto";  ///< auto = cubic between loopback ends, else the system's default
  std::vector<Target> dns_servers;  ///< empty = the system's
};
struct ControlOptions {          // section "control"
  std::string socket_path;       ///< Unix socket, default <state_dir>/control.sock
  std::optional<Target> listen;  ///< HTTP on TCP; default 127.0.0.1:9464
  std::string token;             ///< needed when `listen` is not loopback
  Duration drain_timeout = std::chrono::seconds{10};
};

struct DaemonOptions {   // section "daemon"
  bool seccomp = true;   ///< give up system calls that a running daemon does not need
  bool landlock = true;  ///< give up files outside state and configuration
};

struct Config {
  std::string path;
  NodeOptions node;
  LogOptions log;
  NetOptions net;
  ControlOptions control;
  DaemonOptions daemon;
  service::TunnelOptions htx;
  service::GatewayOptions proxy;
  service::MixOptions mix;
};

/// Diagnostic is one mistake of the operator: where it is, what was expected, what may have been meant.
struct Diagnostic {
  std::string file;
  std::uint32_t line = 0, column = 0;  ///< from 1
  std::string pointer;                 ///< "/proxy/inbounds/0/listen"
  std::string message;                 ///< one sentence: what is wrong and what to do
  /// text is "file:line:column: /pointer: message".
  std::string text() const;
};

struct ConfigOutcome {
  std::optional<Config> config;    ///< there when errors is empty
  std::vector<Diagnostic> errors;  ///< all that were found
  std::vector<Diagnostic> warnings;
};

/// load_config reads and checks a file; relative paths inside are relative to its folder. Reads identity and
/// certificates too when `check_files`. Start-up and CLI only.
ConfigOutcome load_config(const std::string& path, bool check_files = true);
/// parse_config does the same for a text (tests, fuzzing); touches no files.
ConfigOutcome parse_config(std::string_view text, const std::string& name);
/// config_schema is the JSON schema, generated from the table that parses.
std::string config_schema();
/// masked_json is the effective configuration as JSON with every secret replaced by "***".
std::string masked_json(const Config& config);
/// restart_keys lists the pointers whose change between two configurations needs a restart.
std::vector<std::string> restart_keys(const Config& before, const Config& after);

}  // namespace village::control
