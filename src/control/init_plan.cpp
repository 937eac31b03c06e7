#include "control/init_plan.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "control/mix_members.hpp"
#include "control/peer_uri.hpp"
#include "control/scalar_shapes.hpp"
#include "control/suggest.hpp"
#include "control/text_forms.hpp"
#include "village/mix/document.hpp"

namespace village::control {
namespace {

constexpr auto epoch_least = std::chrono::seconds{5};
constexpr auto epoch_most = std::chrono::hours{24};

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

struct Defaults {
  const char* listen;
  const char* control;
};
Defaults defaults_of(InitRole role) {
  switch (role) {
    case InitRole::mix:
    case InitRole::gateway:
      return {"0.0.0.0:9001", "127.0.0.1:9464"};
    case InitRole::authority:
      return {"0.0.0.0:9470", "127.0.0.1:9464"};
    case InitRole::exit:
      return {"0.0.0.0:8443", "127.0.0.1:9464"};
    case InitRole::entry:
    case InitRole::client:
      break;
  }
  return {"0.0.0.0:8443", "127.0.0.1:9465"};
}

bool is_literal(const Target& target) { return !std::holds_alternative<DomainName>(target.host); }
bool is_unspecified(const Target& target) {
  const auto text = to_text(target.host);
  return text == "0.0.0.0" || text == "::";
}

std::string address_problem(const std::string& address) {
  const auto target = parse_target(address, true);
  return target && is_literal(*target) ? "" : address + " is no IP address and port";
}

/// stray names the first option that the role has no use for.
std::string stray_option(const Arguments& arguments, InitRole role) {
  const auto only = [&](std::initializer_list<const char*> options, std::initializer_list<InitRole> roles) {
    const bool fits = std::find(roles.begin(), roles.end(), role) != roles.end();
    for (const auto* option : options) {
      if (!fits && arguments.has(option))
        return std::string{option} + " is nothing for --role " + role_words()[static_cast<std::size_t>(role)];
    }
    return std::string{};
  };
  using enum InitRole;
  for (auto problem : {only({"--peer", "--proxy"}, {entry, exit}), only({"--gateway"}, {client}),
                       only({"--tls"}, {gateway}), only({"--open"}, {authority}),
                       only({"--operator"}, {mix, gateway}), only({"--address"}, {mix, gateway, authority}),
                       only({"--authorities", "--threshold", "--epoch"}, {mix, gateway, authority, client}),
                       only({"--listen"}, {entry, exit, mix, gateway, authority})}) {
    if (!problem.empty()) return problem;
  }
  return {};
}

/// read_gateway reads --gateway: an invitation, or KEY@HOST:PORT of a listener without outer TLS.
std::string read_gateway(const Arguments& arguments, InitPlan& plan) {
  const auto text = arguments.value("--gateway");
  if (!text)
    return "a client needs its gateway: --gateway KEY@HOST:PORT, as the gateway's init printed it, or "
           "--gateway 'htx://...', an invitation of it";
  std::string problem;
  if (text->starts_with("htx:")) {
    plan.peer = parse_peer_uri(*text, problem);
    if (!plan.peer) return problem;
  } else {
    const auto at = text->find('@');
    const auto key = key_bytes(text->substr(0, at));
    const auto address = at == std::string::npos ? Result<Target>{fail(Errc::malformed)}
                                                 : parse_target(std::string_view{*text}.substr(at + 1));
    if (!key || !crypto::x25519_public(*key) || !address)
      return "--gateway takes KEY@HOST:PORT, as the gateway's init printed it, or 'htx://...'";
    plan.peer.emplace();
    plan.peer->key = *key;
    plan.peer->address = *address;
    plan.peer->outer = service::Outer::none;
  }
  if (plan.peer->name.empty()) plan.peer->name = "gateway";
  return {};
}

/// read_address finds out where others reach this node.
std::string read_address(const Arguments& arguments, InitPlan& plan) {
  if (plan.role == InitRole::client) return {};
  const bool literal = plan.role != InitRole::authority;
  const auto listen = parse_target(plan.listen, true);
  if (const auto given = arguments.value("--address")) {
    const auto target = parse_target(*given);
    if (!target || (literal && !is_literal(*target)) || is_unspecified(*target))
      return literal ? "--address takes the IP address and port at which other nodes dial this one"
                     : "--address takes the host and port at which nodes reach this authority";
    plan.address = *target;
  } else if (is_unspecified(*listen) || listen->port == 0) {
    return "say where other nodes reach this one: --address IP:PORT (or --listen with one of its addresses)";
  } else {
    plan.address = *listen;
  }
  return {};
}

std::string read_epoch(const Arguments& arguments, InitPlan& plan) {
  const auto text = arguments.value("--epoch");
  if (!text) return {};
  const auto length = parse_duration(*text);
  if (!length || *length < epoch_least || *length > epoch_most)
    return "--epoch takes a duration from 5s to 24h, like 20m; all nodes of a mixnet use the same";
  plan.epochs.overlap = std::clamp<Duration>(*length / 4, std::chrono::seconds{1}, mix::Epochs{}.overlap);
  plan.epochs.length = *length;
  return {};
}

std::string read_mixnet(const Arguments& arguments, InitPlan& plan) {
  plan.operator_name = arguments.value_or("--operator", "");
  if (!plan.operator_name.empty() && !is_label(plan.operator_name))
    return "--operator takes 1 to 63 characters of a-z, 0-9 and \"-\"";
  plan.open = arguments.has("--open");
  plan.listen_tls = arguments.value_or("--tls", "");
  if (!plan.listen_tls.empty()) {
    if (auto problem = address_problem(plan.listen_tls); !problem.empty()) return problem;
  }
  std::string problem;
  if (const auto list = arguments.value("--authorities")) {
    auto read = parse_authorities(*list, problem);
    if (!read) return problem;
    plan.authorities = *std::move(read);
  } else if (plan.role != InitRole::authority) {
    return "say who signs the directory: --authorities NAME=KEY@HOST:PORT,...; \"villaged mix authority "
           "list\" on an authority prints this option";
  }
  if (const auto threshold = arguments.value("--threshold")) {
    const auto most = plan.authorities.size() + (plan.role == InitRole::authority ? 1 : 0);
    const auto number = threshold->size() == 1 ? threshold->front() - '0' : 0;
    if (number < 1 || static_cast<std::size_t>(number) > most || static_cast<std::size_t>(number) * 2 <= most)
      return "--threshold takes a whole number above half of the authorities, and not above their number";
    plan.threshold = static_cast<std::uint32_t>(number);
  }
  problem = read_epoch(arguments, plan);
  if (problem.empty()) problem = read_address(arguments, plan);
  if (problem.empty() && plan.role == InitRole::client) problem = read_gateway(arguments, plan);
  return problem;
}

}  // namespace

const std::vector<std::string>& role_words() {
  static const std::vector<std::string> words{"exit", "entry", "mix", "gateway", "authority", "client"};
  return words;
}

std::string read_plan(const Arguments& arguments, InitPlan& plan) {
  if (!arguments.problem().empty()) return arguments.problem();
  if (!arguments.rest().empty()) return "unexpected \"" + arguments.rest().front() + "\"";
  const auto directory = arguments.value("--dir");
  if (!directory || directory->empty()) return "say where: --dir DIR";
  plan.directory = *directory;
  const auto word = arguments.value_or("--role", "entry");
  const auto role = std::find(role_words().begin(), role_words().end(), word);
  if (role == role_words().end()) return "--role is " + quoted_list(role_words());
  plan.role = static_cast<InitRole>(role - role_words().begin());
  if (auto stray = stray_option(arguments, plan.role); !stray.empty()) return stray;
  plan.allow_private = arguments.has("--allow-private");
  plan.name = arguments.value_or("--name", host_label(word));
  if (!is_label(plan.name)) return "--name takes 1 to 63 characters of a-z, 0-9 and \"-\"";
  const auto defaults = defaults_of(plan.role);
  plan.listen = arguments.value_or("--listen", defaults.listen);
  plan.proxy = arguments.value_or("--proxy", "127.0.0.1:1080");
  plan.control = arguments.value_or("--control", defaults.control);
  for (const auto* address : {&plan.listen, &plan.proxy, &plan.control}) {
    if (address == &plan.control && *address == "none") continue;
    if (auto problem = address_problem(*address); !problem.empty()) return problem;
    if (address == &plan.control && !is_loopback(*parse_target(*address, true)))
      return "--control takes a loopback address; see \"token\" in villaged.json(5)";
  }
  if (plan.in_mixnet()) return read_mixnet(arguments, plan);
  if (const auto uri = arguments.value("--peer")) {
    std::string problem;
    plan.peer = parse_peer_uri(*uri, problem);
    if (!plan.peer) return problem;
    if (plan.peer->name.empty()) plan.peer->name = "exit";
  }
  return {};
}

std::vector<service::MixAuthorityEntry> InitPlan::members(const crypto::Ed25519Public& self) const {
  auto list = authorities;
  if (role != InitRole::authority) return list;
  std::erase_if(list, [&](const auto& each) { return each.key == self || each.name == name; });
  list.insert(list.begin(), {name, self, *address});
  return list;
}

}  // namespace village::control
