// villaged peer: who this node talks with.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <system_error>

#include "control/arguments.hpp"
#include "control/config_change.hpp"
#include "control/files.hpp"
#include "control/identity.hpp"
#include "control/peer_entry.hpp"
#include "control/peer_uri.hpp"
#include "control/scalar_shapes.hpp"
#include "control/text_forms.hpp"
#include "control/verbs.hpp"
#include "village/crypto/certificate.hpp"
#include "village/crypto/random.hpp"
#include "village/service/ticket_keyring.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using service::TunnelPeer;

WallTime wall_now() {
  return WallTime{std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
}

int usage_problem(const std::string& message) { return complain("peer", message, exit_usage); }

// --- invite

/// choose_listen picks the address that the invitation is for: the one with the port asked for, else the
/// first.
const service::TunnelListen& choose_listen(const Config& config, std::uint16_t port) {
  const auto& all = config.htx.listen;
  const auto same = std::find_if(all.begin(), all.end(),
                                 [port](const auto& listen) { return listen.address.port == port; });
  return same == all.end() ? all.front() : *same;
}

bool is_unspecified(const Target& target) {
  const auto text = to_text(target.host);
  return text == "0.0.0.0" || text == "::";
}

/// public_address completes what the user gave by what the node listens on.
std::optional<Target> public_address(const Arguments& arguments, const Config& config) {
  const auto& first = config.htx.listen.front().address;
  if (arguments.rest().size() < 2)
    return is_unspecified(first) || first.port == 0 ? std::nullopt : std::optional{first};
  const auto& given = arguments.rest()[1];
  if (const auto target = parse_target(given)) return *target;
  const auto host = parse_host(given);
  if (!host || first.port == 0) return std::nullopt;
  return Target{*host, first.port};
}

std::string ticket_problem(const std::string& path, Error error) {
  if (error.code == Errc::denied) return path + " can be read by others than its owner; chmod 600 it";
  if (error.code == Errc::busy) return path + " is being changed by another program; try again";
  if (error.code == Errc::io) {
    return "cannot use the ticket keys " + path + ": " +
           std::generic_category().message(static_cast<int>(error.detail));
  }
  return path + " holds no ticket keys (line " + std::to_string(error.detail) +
         "); move it away, and \"villaged peer invite\" makes new ones";
}

int invite(const Arguments& arguments) {
  const auto outcome = load_config(config_path(arguments));
  if (!outcome.config) {
    print_errors(outcome);
    return exit_usage;
  }
  const auto& config = *outcome.config;
  const auto name = arguments.value_or("--name", config.node.name);
  if (!is_label(name)) return usage_problem("--name takes 1 to 63 characters of a-z, 0-9 and \"-\"");
  const auto& key = config.htx.identity->public_key;
  if (config.htx.listen.empty()) {
    std::fprintf(
        stderr, "this node listens nowhere, so it cannot be dialled; to let it in, run on the other node:\n");
    print(admit_command(key, name) + "\n");
    return exit_fine;
  }
  const auto address = public_address(arguments, config);
  if (!address)
    return usage_problem("say where this node is reached from outside: villaged peer invite HOST:PORT");
  TunnelPeer self;
  self.name = name;
  self.key = key;
  self.address = *address;
  const auto& listen = choose_listen(config, address->port);
  self.outer = listen.outer;
  if (self.outer == service::Outer::tls && !arguments.has("--no-pin")) {
    std::string problem;
    const auto pem = read_file(listen.certificate_pem_path, 256 * 1024, problem);
    const auto pin = pem ? crypto::spki_pin_pem(*pem) : Result<crypto::SpkiPin>{fail(Errc::bad_certificate)};
    if (!pin)
      return complain("peer", "cannot read the certificate " + listen.certificate_pem_path, exit_failed);
    self.pin = *pin;
  }
  if (self.outer == service::Outer::tls && config.htx.tickets.use == service::TicketUse::required) {
    const auto& path = config.htx.tickets.key_path;
    const auto ring = service::TicketKeyring::read_or_make(path, wall_now());
    if (!ring) return complain("peer", ticket_problem(path, ring.error()), exit_failed);
    self.ticket = ring->keys().front().secret.open;
    self.upgrade = config.htx.upgrade;
  }
  const auto uri = peer_uri(self);
  std::fprintf(
      stderr,
      "paste on the other node (in single quotes): villaged peer add URI, or villaged init --peer URI\n");
  print(arguments.has("--json") ? Json{{"uri", uri}, {"node", node_name(key)}, {"name", name}}.dump(2) + "\n"
                                : uri + "\n");
  return exit_fine;
}

// --- add, remove

/// read_peer reads what is to be added: an invitation, or --inbound KEY.
std::optional<TunnelPeer> read_peer(const Arguments& arguments, std::string& problem) {
  const auto inbound = arguments.value("--inbound");
  if (inbound.has_value() == (arguments.rest().size() == 2)) {
    problem = "give an invitation, villaged peer add 'htx://...', or a key, villaged peer add --inbound KEY";
    return std::nullopt;
  }
  std::optional<TunnelPeer> peer;
  if (inbound) {
    const auto key = key_bytes(*inbound);
    if (!key || !crypto::x25519_public(*key)) {
      problem =
          "--inbound takes the 43 characters of the other node's key; its \"villaged peer invite\" prints "
          "them";
      return std::nullopt;
    }
    peer.emplace();
    peer->key = *key;
    peer->allow_inbound = true;
  } else {
    peer = parse_peer_uri(arguments.rest()[1], problem);
    if (!peer) return std::nullopt;
  }
  peer->name = arguments.value_or("--name", peer->name);
  if (!peer->name.empty() && !is_label(peer->name)) {
    problem = "--name takes 1 to 63 characters of a-z, 0-9 and \"-\"";
    return std::nullopt;
  }
  return peer;
}

std::string free_name(const ConfigChange& change, const TunnelPeer& peer) {
  const auto wanted = peer.name.empty() ? std::string{peer.address ? "exit" : "entry"} : peer.name;
  auto name = wanted;
  for (int i = 2; change.find_peer(name) || name == "direct" || name == "block"; ++i)
    name = wanted + "-" + std::to_string(i);
  return name;
}

/// write_peer adds the peer, or brings what is new about it into the entry that is there; returns its name.
std::string write_peer(ConfigChange& change, TunnelPeer peer) {
  const auto known = change.find_peer(peer.key);
  if (!known) {
    peer.name = free_name(change, peer);
    change.edit().append("/htx/peers", peer_entry(peer));
    return peer.name;
  }
  const auto& old = change.config().htx.peers[*known];
  peer.allow_inbound = peer.allow_inbound || old.allow_inbound;
  peer.name = old.name;
  const auto pointer = "/htx/peers/" + std::to_string(*known);
  const auto entry = peer_entry(peer);
  for (const auto& [key, value] : entry.items()) {
    if (key != "name" && key != "key") change.edit().set(pointer + "/" + key, value);
  }
  if (peer.address && !peer.ticket && old.ticket) change.edit().set(pointer + "/ticket", nullptr);
  if (peer.address && !peer.pin && old.pin) change.edit().set(pointer + "/pin", nullptr);
  return peer.name;
}

int add(const Arguments& arguments) {
  std::string problem;
  auto peer = read_peer(arguments, problem);
  if (!peer) return usage_problem(problem);
  ConfigChange change{config_path(arguments)};
  if (!change.open()) return usage_problem(change.problem());
  const bool known = change.find_peer(peer->key).has_value();
  const bool reachable = peer->address.has_value(), inbound = peer->allow_inbound;
  const auto key = peer->key;
  const auto name = write_peer(change, *std::move(peer));
  // A node that was made to send nothing out until it has an exit gets it now.
  const auto* way = change.edit().value("/proxy/default");
  const bool route = reachable && way != nullptr && *way == "block" && !arguments.has("--no-route");
  if (route) change.edit().set("/proxy/default", name);
  if (!change.save()) return complain("peer", change.problem(), exit_failed);
  std::string text = (known ? "changed  " : "added    ") + name + "  " + node_name(key) + "\n";
  if (inbound) text += "         it may come in\n";
  if (route) text += "         what no route of proxy decides leaves through it now\n";
  print(text);
  if (inbound && change.config().htx.listen.empty()) {
    std::fprintf(stderr, "note: htx.listen of %s has no address, so nobody can come in yet\n",
                 change.path().c_str());
  }
  return apply_change(arguments, "peer", change.config());
}

int remove(const Arguments& arguments) {
  if (arguments.rest().size() != 2) return usage_problem("name the peer: villaged peer remove NAME");
  const auto& name = arguments.rest()[1];
  ConfigChange change{config_path(arguments)};
  if (!change.open()) return usage_problem(change.problem());
  const auto index = change.find_peer(name);
  if (!index) {
    std::vector<std::string> names;
    for (const auto& peer : change.config().htx.peers) names.push_back(peer.name);
    const auto meant = nearest(name, names);
    return usage_problem("there is no peer \"" + name + "\"" +
                         (meant.empty() ? "" : "; did you mean \"" + meant + "\"?"));
  }
  change.edit().remove("/htx/peers/" + std::to_string(*index));
  // Never fall back to sending in clear what went through the peer.
  const auto* way = change.edit().value("/proxy/default");
  const bool blocked = way != nullptr && *way == name;
  if (blocked) change.edit().set("/proxy/default", "block");
  if (!change.save()) return complain("peer", change.problem(), exit_failed);
  print("removed  " + name + "\n" + (blocked ? "         what left through it is blocked now\n" : ""));
  return apply_change(arguments, "peer", change.config());
}

// --- list

int list_peers(const Arguments& arguments) {
  const auto outcome = load_config(config_path(arguments), false);
  if (!outcome.config) {
    print_errors(outcome);
    return exit_usage;
  }
  const auto& peers = outcome.config->htx.peers;
  if (arguments.has("--json")) {
    auto out = Json::array();
    for (const auto& peer : peers) {
      auto entry = peer_entry(peer);
      entry["node"] = node_name(peer.key);
      entry["inbound"] = peer.allow_inbound;
      out.push_back(std::move(entry));
    }
    print(Json{{"peers", out}}.dump(2) + "\n");
    return exit_fine;
  }
  std::size_t width = 4;
  for (const auto& peer : peers) width = std::max(width, peer.name.size());
  for (const auto& peer : peers) {
    print(peer.name + std::string(width + 2 - peer.name.size(), ' ') + node_name(peer.key) +
          (peer.address
               ? "  dial " + to_text(*peer.address) + (peer.outer == service::Outer::tls ? " tls" : " none")
               : "") +
          (peer.ticket ? "  ticket " + wire::base64url(peer.ticket->id) : "") +
          (peer.allow_inbound ? "  may come in" : "") + "\n");
  }
  if (peers.empty()) print("no peers; \"villaged peer add\" brings one\n");
  return exit_fine;
}

// --- rotate-tickets

int rotate_tickets(const Arguments& arguments) {
  const auto outcome = load_config(config_path(arguments), false);
  if (!outcome.config) {
    print_errors(outcome);
    return exit_usage;
  }
  const auto& tickets = outcome.config->htx.tickets;
  const bool revoke = arguments.has("--revoke");
  const auto ring = service::TicketKeyring::update(tickets.key_path, [&](service::TicketKeyring& keys) {
    crypto::SystemRandom random;
    if (revoke) keys = service::TicketKeyring{};
    keys.rotate(wall_now(), random);
    return true;
  });
  if (!ring) return complain("peer", ticket_problem(tickets.key_path, ring.error()), exit_failed);
  std::string text;
  for (const auto& key : ring->keys()) {
    text += (text.empty() ? "new   " : "also  ") + wire::base64url(key.secret.open.id) + "\n";
  }
  print(text + "every peer that dials this node needs a new invitation " +
        (revoke ? "now: the old ones are worthless\n"
                : "(\"villaged peer invite\") before the old key ends (htx.tickets.overlap)\n"));
  return apply_change(arguments, "peer", *outcome.config);
}

int run(const std::vector<std::string>& args) {
  const Arguments arguments{args, peer_verb().options};
  if (!arguments.problem().empty()) return usage_problem(arguments.problem());
  const auto words = peer_verb().words;
  if (arguments.rest().empty()) return usage_problem("say what: " + quoted_list(words));
  const auto& word = arguments.rest().front();
  if (arguments.rest().size() > 2) return usage_problem("unexpected \"" + arguments.rest()[2] + "\"");
  if (word == "invite") return invite(arguments);
  if (word == "add") return add(arguments);
  if (word == "remove") return remove(arguments);
  if (word == "list") return list_peers(arguments);
  if (word == "rotate-tickets") return rotate_tickets(arguments);
  const auto meant = nearest(word, words);
  return usage_problem(
      "unknown \"" + word + "\"; " +
      (meant.empty() ? "expected " + quoted_list(words) : "did you mean \"" + meant + "\"?"));
}

}  // namespace

Verb peer_verb() {
  return {
      "peer",
      "invite, add, list and remove peers",
      "usage: villaged peer invite [HOST[:PORT]] [--name NAME] [--no-pin] [--json] [--config FILE]\n"
      "       villaged peer add URI [--name NAME] [--no-route] [--no-reload] [--config FILE]\n"
      "       villaged peer add --inbound KEY [--name NAME] [--no-reload] [--config FILE]\n"
      "       villaged peer list [--json] [--config FILE]\n"
      "       villaged peer remove NAME [--no-reload] [--config FILE]\n"
      "       villaged peer rotate-tickets [--revoke] [--no-reload] [--config FILE]\n"
      "\n"
      "invite prints one line for another node: how to reach and recognise this one. On a node that listens "
      "nowhere it\n"
      "prints the command that lets this node in elsewhere.\n"
      "add URI enters the node of an invitation as a peer to dial. If \"default\" of proxy was \"block\", "
      "what no route\n"
      "decides leaves through it from now on (--no-route: not).\n"
      "add --inbound KEY lets a node in that dials this one.\n"
      "add and remove change the configuration in place: comments and layout stay, a result with errors is "
      "not\n"
      "written, and a running node takes it over at once (--no-reload: not).\n"
      "rotate-tickets makes a new ticket key, which invitations carry from now on; the old one is accepted "
      "for\n"
      "htx.tickets.overlap more, with --revoke no longer: do that when an invitation fell into wrong hands.\n"
      "--no-pin makes an invitation whose certificate is verified by host name, for one that a public "
      "authority signed.\n"
      "Without --config: ./villaged.json, ~/.villaged/villaged.json, /etc/villaged/villaged.json.\n"
      "\n"
      "example: villaged peer invite exit.example.org:8443 --config /etc/villaged/villaged.json\n",
      run,
      {"invite", "add", "list", "remove", "rotate-tickets"},
      {"--config FILE", "--name NAME", "--inbound KEY", "--no-pin", "--no-route", "--no-reload", "--revoke",
       "--json"}};
}

}  // namespace village::control
