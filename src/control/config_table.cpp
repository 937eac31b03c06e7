#include "control/config_table.hpp"

#include "control/scalar_shapes.hpp"
#include "village/base/limits.hpp"

namespace village::control {
namespace {

Shape<log::Level> log_level() {
  std::vector<Choice<log::Level>> levels;
  for (int i = 0; i <= static_cast<int>(log::Level::off); ++i) {
    const auto level = static_cast<log::Level>(i);
    levels.push_back({std::string{log::name(level)}, level});
  }
  return choice(std::move(levels));
}

Shape<NodeOptions> node_section() {
  return object<NodeOptions>(
      {
          field({.name = "name", .doc = "The operator's word for this node, shown in status and metrics"},
                &NodeOptions::name, label()),
          field({.name = "identity",
                 .doc = "File with this node's Ed25519 seed, readable by its owner only; \"villaged keygen\" "
                        "makes one"},
                &NodeOptions::identity_path, path()),
          field({.name = "state_dir",
                 .doc = "Folder for the lock, the control socket and what the node stores"},
                &NodeOptions::state_dir, path()),
      },
      default_config().node);
}

Shape<LogOptions> log_section() {
  return object<LogOptions>({
      field({.name = "level", .reload = Reload::live, .doc = "Least severe line that is written"},
            &LogOptions::level, log_level()),
      field({.name = "json", .doc = "Write each line as a JSON object instead of text"}, &LogOptions::json,
            boolean()),
      field({.name = "identities",
             .reload = Reload::live,
             .doc = "Write peers' addresses and ids in clear; otherwise they are short keyed hashes"},
            &LogOptions::identities, boolean()),
  });
}

Shape<NetOptions> net_section() {
  return object<NetOptions>({
      field({.name = "cores", .doc = "Worker threads; 0 = every CPU the process may use"}, &NetOptions::cores,
            whole<std::uint32_t>(0, village::limits::cores_max)),
      field({.name = "congestion",
             .doc = "TCP congestion control by the kernel's name; \"auto\" = cubic between loopback ends, "
                    "else the system's"},
            &NetOptions::congestion, text("a name", 1, 15)),
      field({.name = "dns_servers", .doc = "Name servers to ask; none = those of the system"},
            &NetOptions::dns_servers, list(dns_server(), 0, 8)),
  });
}

Shape<ControlOptions> control_section() {
  return object<ControlOptions>(
      {
          field({.name = "socket",
                 .doc = "Unix socket of the control interface; \"\" = control.sock in the state_dir"},
                &ControlOptions::socket_path, optional_path()),
          field({.name = "listen",
                 .doc = "Address of the control interface over HTTP: metrics, health, status, web page; null "
                        "= none"},
                &ControlOptions::listen, nullable(address(true))),
          field({.name = "token",
                 .secret = true,
                 .doc = "Bearer token that clients over TCP must show; needed when \"listen\" is not a "
                        "loopback address; "
                        "\"\" = none"},
                &ControlOptions::token, optional_text("a token", 16, 256)),
          field({.name = "drain_timeout",
                 .reload = Reload::live,
                 .doc = "How long a stopping node waits for its connections to end"},
                &ControlOptions::drain_timeout, duration(0s, 1h)),
      },
      default_config().control);
}

Shape<DaemonOptions> daemon_section() {
  return object<DaemonOptions>({
      field({.name = "seccomp",
             .doc = "Give up the system calls that a running node does not need, if the kernel can"},
            &DaemonOptions::seccomp, boolean()),
      field({.name = "landlock",
             .doc = "Give up the files that a running node does not need, if the kernel can"},
            &DaemonOptions::landlock, boolean()),
  });
}

Field<Config> schema_reference() {
  Field<Config> row;
  row.key = {.name = "$schema",
             .reload = Reload::live,
             .doc = "Where an editor finds villaged.schema.json; not read"};
  row.schema = {{"type", "string"}};
  row.read = [](Config&, const Json&, const Mark&, Reading&) { return true; };
  row.write = [](const Config&, Show) { return Json(Json::value_t::discarded); };
  row.changes = [](const Config&, const Config&, const std::string&, std::vector<std::string>&) {};
  return row;
}

}  // namespace

Config default_config() {
  Config config;
  config.node.name = "villaged";
  config.node.identity_path = "identity.key";
  config.node.state_dir = "state";
  config.control.listen = Target{Ipv4Address{std::byte{127}, std::byte{0}, std::byte{0}, std::byte{1}}, 9464};
  return config;
}

const Shape<Config>& config_shape() {
  static const auto shape = object<Config>(
      {
          schema_reference(),
          field({.name = "node", .doc = "Who this node is and where it keeps its things"}, &Config::node,
                node_section()),
          field({.name = "log", .doc = "What is logged"}, &Config::log, log_section()),
          field({.name = "net", .doc = "Threads, sockets and names"}, &Config::net, net_section()),
          field({.name = "control", .doc = "The control interface: status, metrics, health, web page"},
                &Config::control, control_section()),
          field({.name = "daemon", .doc = "What a running node gives up, so that a flaw in it costs less"},
                &Config::daemon, daemon_section()),
          field({.name = "htx",
                 .doc = "The HTX tunnel: where peers come in, which peers there are, what they may reach"},
                &Config::htx, htx_section()),
          field({.name = "proxy", .doc = "The gateway: proxy ports of programs here, and the ways out of it"},
                &Config::proxy, proxy_section()),
          field({.name = "mix", .doc = "The mixnet: packets that hide who talks to whom"}, &Config::mix,
                mix_section()),
      },
      default_config());
  return shape;
}

}  // namespace village::control
