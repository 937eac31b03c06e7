#include "control/config_check.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "control/files.hpp"
#include "control/scalar_shapes.hpp"
#include "control/text_forms.hpp"
#include "control/traffic_shape.hpp"
#include "village/htx/suite.hpp"
#include "village/net/limits.hpp"

namespace village::control {
namespace {

using service::OutboundKind;
using service::Outer;

constexpr std::size_t socket_path_bytes_max = 107;  // sun_path, unix(7)

/// Checker holds what all rules need. A rule is silent where the value it needs was refused already.
class Checker {
 public:
  Checker(const Config& config, const Document& document, Problems& problems)
      : config_{config}, document_{document}, problems_{problems} {}

  void run() {
    control();
    listen_addresses();
    tunnel_listeners();
    tunnel_peers();
    tunnel_limits();
    inbounds();
    outbounds();
    routes();
    check_mix(config_, document_, problems_);
  }

 private:
  void error(const std::string& pointer, std::string message) {
    problems_.error(document_.closest(pointer).begin, pointer, std::move(message));
  }
  void warning(const std::string& pointer, std::string message) {
    problems_.warning(document_.closest(pointer).begin, pointer, std::move(message));
  }
  static std::string entry(const char* list, std::size_t i) {
    return list + std::string{"/"} + std::to_string(i);
  }
  bool refused(const std::string& pointer) const { return problems_.under(pointer); }

  /// unique complains when `value` was seen before; empty values were refused elsewhere.
  void unique(std::map<std::string, std::string>& seen, const std::string& value, const std::string& pointer,
              const char* what) {
    if (value.empty()) return;
    const auto [first, is_new] = seen.emplace(value, pointer);
    if (!is_new) error(pointer, std::string{what} + " \"" + value + "\" is taken by " + first->second);
  }

  void control() {
    const auto& listen = config_.control.listen;
    if (listen && !is_loopback(*listen) && config_.control.token.empty() && !refused("/control")) {
      error("/control/listen",
            to_text(*listen) + " can be reached from outside: set \"token\", or listen on 127.0.0.1");
    }
    auto completed = config_;
    complete(completed);
    if (completed.control.socket_path.size() > socket_path_bytes_max) {
      error("/control/socket", "the path of a Unix socket has at most " +
                                   std::to_string(socket_path_bytes_max) + " bytes; \"" +
                                   completed.control.socket_path + "\" is longer");
    }
  }

  void listen_addresses() {
    std::map<std::string, std::string> seen;
    const auto add = [&](const Target& target, const std::string& pointer) {
      if (target.port != 0 && !refused(pointer)) unique(seen, to_text(target), pointer, "the address");
    };
    if (config_.control.listen) add(*config_.control.listen, "/control/listen");
    for (std::size_t i = 0; i < config_.htx.listen.size(); ++i) {
      add(config_.htx.listen[i].address, entry("/htx/listen", i) + "/address");
    }
    for (std::size_t i = 0; i < config_.proxy.inbounds.size(); ++i) {
      add(config_.proxy.inbounds[i].listen, entry("/proxy/inbounds", i) + "/listen");
    }
    if (config_.mix.directory.listen) add(*config_.mix.directory.listen, "/mix/directory/listen");
  }

  void tunnel_listeners() {
    for (std::size_t i = 0; i < config_.htx.listen.size(); ++i) {
      const auto& listen = config_.htx.listen[i];
      const auto pointer = entry("/htx/listen", i);
      if (refused(pointer)) continue;
      const bool certificate = !listen.certificate_pem_path.empty(), key = !listen.key_pem_path.empty();
      if (listen.outer == Outer::tls && !(certificate && key)) {
        error(pointer, std::string{"outer \"tls\" needs "} +
                           (certificate ? "\"key\""
                            : key       ? "\"certificate\""
                                        : "\"certificate\" and \"key\"") +
                           "; \"villaged init\" makes both");
      }
      if (listen.outer == Outer::none && (certificate || key)) {
        warning(pointer, "\"certificate\" and \"key\" are not used with outer \"none\"");
      }
      // The addresses of a mixnet's nodes are public, and so is what they speak.
      if (listen.outer == Outer::none && !is_loopback(listen.address) && !config_.mix.moves_packets()) {
        warning(pointer + "/outer",
                "without outer \"tls\" anybody on the way sees that this is HTX; use it in trusted networks "
                "only");
      }
    }
    const auto& peers = config_.htx.peers;
    const bool admits =
        std::any_of(peers.begin(), peers.end(), [](const auto& peer) { return peer.allow_inbound; });
    if (!config_.htx.listen.empty() && !admits && !config_.mix.moves_packets()) {
      warning("/htx/listen", "no peer may come in yet; \"villaged peer add --inbound KEY\" admits one");
    }
    if (config_.htx.listen.empty() && admits)
      warning("/htx/peers", "peers may come in, but \"listen\" has no address");
    if (config_.htx.listen.empty() && config_.htx.exit.enabled) {
      warning("/htx/exit", "this node is an exit, but \"listen\" has no address");
    }
  }

  void tunnel_peers() {
    std::map<std::string, std::string> names, keys;
    for (std::size_t i = 0; i < config_.htx.peers.size(); ++i) {
      const auto& peer = config_.htx.peers[i];
      const auto pointer = entry("/htx/peers", i);
      unique(names, peer.name, pointer + "/name", "the name");
      if (peer.name == "direct" || peer.name == "block") {
        error(pointer + "/name", "\"" + peer.name + "\" is a way out of its own; give the peer another name");
      }
      if (refused(pointer)) continue;
      unique(keys, wire_text(peer.key), pointer + "/key", "the key");
      if (!crypto::x25519_public(peer.key))
        error(pointer + "/key", "this is no usable Ed25519 public key; copy it again");
      if (!peer.address && !peer.allow_inbound) {
        error(pointer, "the peer can neither be dialled nor come in: set \"address\", or \"inbound\": true");
      }
      if (peer.pin && peer.outer == Outer::none) {
        error(pointer + "/pin",
              "a pin belongs to outer \"tls\"; with outer \"none\" there is no certificate");
      }
      if (peer.ticket && peer.outer == Outer::none) {
        error(pointer + "/ticket", "a ticket belongs to outer \"tls\"; with outer \"none\" none is shown");
      }
      if (peer.address && peer.outer == Outer::tls && !peer.ticket &&
          document_.find(pointer + "/ticket") == nullptr) {
        warning(pointer,
                "without \"ticket\" this peer will not let us in, unless its tickets are off; get a new "
                "invitation (\"villaged peer invite\" there, \"villaged peer add\" here), or say "
                "\"ticket\": null");
      }
      const std::set<htx::Suite> suites{peer.suites.begin(), peer.suites.end()};
      if (suites.size() != peer.suites.size()) error(pointer + "/suites", "a suite stands here twice");
      quantum_safety(pointer, peer);
    }
  }

  /// quantum_safety: a suite without ML-KEM is an error where the node requires it. Where it does not, a peer
  /// that has no other is worth a word: what is recorded today can be read by a later quantum computer.
  void quantum_safety(const std::string& pointer, const service::TunnelPeer& peer) {
    std::string classical;
    for (const auto suite : peer.suites) {
      if (htx::suite_info(suite)->hybrid) continue;
      classical += (classical.empty() ? "" : ", ") + std::to_string(static_cast<int>(suite));
    }
    if (classical.empty()) return;
    if (config_.htx.require_pq) {
      error(pointer + "/suites", "\"require_pq\" is set, but suite " + classical +
                                     " has no post-quantum key exchange; list 5 and 3 only");
    } else if (std::none_of(peer.suites.begin(), peer.suites.end(),
                            [](htx::Suite suite) { return htx::suite_info(suite)->hybrid; })) {
      warning(pointer + "/suites",
              "suite " + classical +
                  " has no post-quantum key exchange; with a peer that speaks them, 5 and 3 "
                  "are safer (ask it for a new invitation)");
    }
  }

  static std::string wire_text(const crypto::Ed25519Public& key) {
    return public_key().write(key, Show::plain);
  }

  template <class T>
  void ordered(const char* section, const char* low, const T& low_value, const char* high,
               const T& high_value) {
    const auto low_pointer = std::string{section} + "/" + low,
               high_pointer = std::string{section} + "/" + high;
    if (low_value <= high_value || refused(low_pointer) || refused(high_pointer)) return;
    error(document_.find(low_pointer) != nullptr ? low_pointer : high_pointer,
          std::string{"\""} + low + "\" must not be larger than \"" + high + "\"");
  }

  void tunnel_limits() {
    const auto& session = config_.htx.session;
    ordered("/htx/session", "stream_window_start", session.stream_window_start, "stream_window_max",
            session.stream_window_max);
    ordered("/htx/session", "connection_window_start", session.connection_window_start,
            "connection_window_max", session.connection_window_max);
    ordered("/htx", "backoff_min", config_.htx.backoff_min, "backoff_max", config_.htx.backoff_max);
  }

  void inbounds() {
    std::map<std::string, std::string> names;
    for (std::size_t i = 0; i < config_.proxy.inbounds.size(); ++i) {
      const auto& inbound = config_.proxy.inbounds[i];
      const auto pointer = entry("/proxy/inbounds", i);
      unique(names, inbound.name, pointer + "/name", "the name");
      if (refused(pointer)) continue;
      std::map<std::string, std::string> users;
      for (std::size_t j = 0; j < inbound.users.size(); ++j) {
        unique(users, inbound.users[j].name, pointer + "/users/" + std::to_string(j) + "/name", "the user");
      }
      if (inbound.users.empty() && !is_loopback(inbound.listen)) {
        warning(pointer, "everybody who reaches " + to_text(inbound.listen) +
                             " may use this proxy; set \"users\", or listen on 127.0.0.1");
      }
    }
  }

  /// peer_problem says why streams cannot leave by a peer; "" if they can.
  std::string peer_problem(const std::string& name) const {
    std::vector<std::string> known;
    for (const auto& peer : config_.htx.peers) {
      if (peer.name == name)
        return peer.address ? "" : "peer \"" + name + "\" has no \"address\", so it cannot be dialled";
      if (peer.address) known.push_back(peer.name);
    }
    return "there is no peer \"" + name + "\" in htx.peers" + suggestion(name, known);
  }

  static std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
    if (const auto meant = nearest(word, known); !meant.empty()) return "; did you mean \"" + meant + "\"?";
    return known.empty() ? "" : "; known: " + quoted_list(known, ", ");
  }

  void outbounds() {
    std::map<std::string, std::string> names;
    for (std::size_t i = 0; i < config_.proxy.outbounds.size(); ++i) {
      const auto& outbound = config_.proxy.outbounds[i];
      const auto pointer = entry("/proxy/outbounds", i);
      unique(names, outbound.name, pointer + "/name", "the name");
      if (refused(pointer) || refused("/htx/peers")) continue;
      if ((outbound.name == "direct" && outbound.kind != OutboundKind::direct) ||
          (outbound.name == "block" && outbound.kind != OutboundKind::block)) {
        error(pointer + "/name",
              "\"" + outbound.name + "\" always has the kind of its name; choose another name");
      } else if (outbound.kind == OutboundKind::htx && outbound.peer.empty()) {
        error(pointer, "kind \"htx\" needs \"peer\", the name of an entry of htx.peers");
      } else if (outbound.kind == OutboundKind::htx) {
        if (auto problem = peer_problem(outbound.peer); !problem.empty())
          error(pointer + "/peer", std::move(problem));
      } else if (!outbound.peer.empty()) {
        error(pointer + "/peer", "\"peer\" belongs to kind \"htx\"");
      }
    }
  }

  std::vector<std::string> outbound_names() const {
    std::vector<std::string> names{"direct", "block"};
    for (const auto& outbound : config_.proxy.outbounds) names.push_back(outbound.name);
    for (const auto& peer : config_.htx.peers) {
      if (peer.address) names.push_back(peer.name);
    }
    std::set<std::string> seen;
    std::erase_if(names, [&seen](const std::string& name) { return !seen.insert(name).second; });
    return names;
  }

  void outbound_exists(const std::string& name, const std::string& pointer,
                       const std::vector<std::string>& known) {
    if (name.empty() || refused(pointer) || std::find(known.begin(), known.end(), name) != known.end())
      return;
    if (refused("/proxy/outbounds") || refused("/htx/peers")) return;
    error(pointer, "there is no outbound \"" + name + "\"" + suggestion(name, known));
  }

  void routes() {
    const auto known = outbound_names();
    std::vector<std::string> ports;
    for (const auto& inbound : config_.proxy.inbounds) ports.push_back(inbound.name);
    bool reachable = true;
    for (std::size_t i = 0; i < config_.proxy.routes.size(); ++i) {
      const auto& route = config_.proxy.routes[i];
      const auto pointer = entry("/proxy/routes", i);
      outbound_exists(route.outbound, pointer + "/outbound", known);
      for (std::size_t j = 0; j < route.inbounds.size(); ++j) {
        if (refused(pointer) || refused("/proxy/inbounds")) break;
        if (std::find(ports.begin(), ports.end(), route.inbounds[j]) != ports.end()) continue;
        error(pointer + "/inbounds/" + std::to_string(j),
              "there is no inbound \"" + route.inbounds[j] + "\"" + suggestion(route.inbounds[j], ports));
      }
      if (!reachable) warning(pointer, "an earlier route matches everything, so this one is never asked");
      const bool everything = route.inbounds.empty() && route.domains.empty() &&
                              route.domain_suffixes.empty() && route.domain_keywords.empty() &&
                              route.ranges.empty() && route.ports.empty() && !route.network;
      if (everything && !refused(pointer)) reachable = false;
    }
    outbound_exists(config_.proxy.default_outbound, "/proxy/default", known);
  }

  const Config& config_;
  const Document& document_;
  Problems& problems_;
};

}  // namespace

void check_references(const Config& config, const Document& document, Problems& problems) {
  Checker{config, document, problems}.run();
}

void complete(Config& config) {
  const auto folder = directory_of(config.path);
  config.node.identity_path = resolve(folder, config.node.identity_path);
  config.node.state_dir = resolve(folder, config.node.state_dir);
  config.control.socket_path = config.control.socket_path.empty()
                                   ? resolve(config.node.state_dir, "control.sock")
                                   : resolve(folder, config.control.socket_path);
  auto& tickets = config.htx.tickets;
  tickets.key_path = tickets.key_path.empty() ? resolve(config.node.state_dir, "ticket.keys")
                                              : resolve(folder, tickets.key_path);
  tickets.replay_path =
      service::asks_tickets(config.htx) ? resolve(config.node.state_dir, "ticket.replays") : "";
  if (config.htx.shape != no_shape && !is_built_in_shape(config.htx.shape))
    config.htx.shape = resolve(folder, config.htx.shape);
  for (auto& listen : config.htx.listen) {
    listen.certificate_pem_path = resolve(folder, listen.certificate_pem_path);
    listen.key_pem_path = resolve(folder, listen.key_pem_path);
  }
  config.htx.decoy.directory = resolve(folder, config.htx.decoy.directory);
  config.mix.keys_path = config.mix.keys_path.empty() ? resolve(config.node.state_dir, "mix")
                                                      : resolve(folder, config.mix.keys_path);
  auto& outbounds = config.proxy.outbounds;
  const auto add = [&outbounds](service::GatewayOutbound outbound) {
    const auto same = [&outbound](const auto& other) { return other.name == outbound.name; };
    if (std::none_of(outbounds.begin(), outbounds.end(), same)) outbounds.push_back(std::move(outbound));
  };
  add({"direct", OutboundKind::direct, {}});
  add({"block", OutboundKind::block, {}});
  for (const auto& peer : config.htx.peers) {
    if (peer.address) add({peer.name, OutboundKind::htx, peer.name});
  }
}

}  // namespace village::control
