// villaged init: a node from nothing.
#include "control/arguments.hpp"
#include "control/identity.hpp"
#include "control/mix_members.hpp"
#include "control/node_maker.hpp"
#include "control/peer_entry.hpp"
#include "control/verbs.hpp"
#include "village/control/config.hpp"
#include "village/mix/document.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

std::string next_steps(const InitPlan& plan, const NodeMaker& maker) {
  const auto config = maker.path("villaged.json");
  const auto admit = admit_command(maker.key(), plan.name);
  if (plan.role == InitRole::exit) {
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

/// MixLines are what others must be told of a new node of a mixnet.
struct MixLines {
  std::string key;
  std::string config;   ///< "--config PATH"
  std::string options;  ///< for "villaged init" of other nodes
  std::string self;     ///< NAME=KEY@ADDRESS of an authority, KEY@ADDRESS of a gateway; "" for others
  std::string admit;    ///< what lets a client in at its gateway
};

MixLines mix_lines(const InitPlan& plan, const NodeMaker& maker) {
  service::MixOptions mix;
  mix.epochs = plan.epochs;
  mix.directory.authorities = plan.members(maker.key());
  mix.directory.threshold = plan.threshold.value_or(
      static_cast<std::uint32_t>(mix::threshold_of(mix.directory.authorities.size())));
  const auto key = wire::base64url(maker.key());
  MixLines lines{key, " --config " + maker.path("villaged.json"), mixnet_options(mix), {}, {}};
  if (plan.role == InitRole::authority) lines.self = plan.name + "=" + key + "@" + to_text(*plan.address);
  if (plan.role == InitRole::gateway) lines.self = key + "@" + to_text(*plan.address);
  lines.admit = "villaged mix client add " + key + " --name " + plan.name;
  return lines;
}

std::string mix_steps(const InitPlan& plan, const MixLines& lines) {
  const auto run = "  villaged run" + lines.config + "\n";
  switch (plan.role) {
    case InitRole::authority:
      return "authority  " + lines.self +
             "\n\n"
             "next, with the line \"authority\" of each other authority\n"
             "  villaged mix authority add NAME=KEY@HOST:PORT ..." +
             lines.config +
             "\nwith the keys of the mixes and gateways that it shall list, unless --open was given\n"
             "  villaged mix node add KEY ..." +
             lines.config + "\nthen\n" + run +
             "and for \"villaged init --role mix|gateway|client\" elsewhere, once all authorities are named\n"
             "  villaged mix authority list" +
             lines.config + "\n";
    case InitRole::gateway:
      return "gateway  " + lines.self +
             "\n\nnext, on each authority that is not open\n  villaged mix node add " + lines.key +
             "\nthen here\n" + run + "on a client\n  villaged init --role client --gateway " + lines.self +
             " " + lines.options +
             " --dir DIR\n"
             "then here, with the line that the client's init printed\n"
             "  villaged mix client add KEY --name NAME" +
             lines.config + "\n" +
             (plan.listen_tls.empty()
                  ? ""
                  : "for clients that must not be seen to come here, --gateway takes what this prints\n"
                    "  villaged peer invite PUBLIC-HOST:PORT" +
                        lines.config + "\n");
    case InitRole::client:
      return "\nnext, on the gateway\n  " + lines.admit + "\nthen here\n" + run + "  villaged mix ping" +
             lines.config + "\n";
    default:
      return "\nnext, on each authority that is not open\n  villaged mix node add " + lines.key +
             "\nthen here\n" + run + "  villaged status" + lines.config + "\n";
  }
}

Json told(const InitPlan& plan, const NodeMaker& maker) {
  Json out{
      {"node", node_name(maker.key())}, {"key", wire::base64url(maker.key())},   {"name", plan.name},
      {"role", plan.role_word()},       {"config", maker.path("villaged.json")}, {"files", maker.made()}};
  if (!plan.in_mixnet()) {
    out["admit"] = admit_command(maker.key(), plan.name);
    return out;
  }
  const auto lines = mix_lines(plan, maker);
  out["mixnet"] = lines.options;
  if (plan.role == InitRole::authority) out["authority"] = lines.self;
  if (plan.role == InitRole::gateway) out["gateway"] = lines.self;
  if (plan.role == InitRole::client) out["admit"] = lines.admit;
  return out;
}

int run(const std::vector<std::string>& args) {
  const Arguments arguments{args, init_verb().options};
  InitPlan plan;
  if (auto problem = read_plan(arguments, plan); !problem.empty())
    return complain("init", problem, exit_usage);
  NodeMaker maker{plan};
  if (!maker.run()) return complain("init", maker.problem(), exit_failed);
  if (arguments.has("--json")) {
    print(told(plan, maker).dump(2) + "\n");
    return exit_fine;
  }
  std::string text;
  for (const auto& file : maker.made()) text += "made  " + file + "\n";
  text += "node  " + node_name(maker.key()) + "\nkey   " + wire::base64url(maker.key()) + "\n";
  print(text + (plan.in_mixnet() ? mix_steps(plan, mix_lines(plan, maker)) : "\n" + next_steps(plan, maker)));
  return exit_fine;
}

}  // namespace

Verb init_verb() {
  return {
      "init",
      "make keys and a configuration",
      "usage: villaged init --dir DIR [--role exit|entry] [--name NAME] [--peer URI] [--listen ADDRESS]\n"
      "                     [--proxy ADDRESS] [--control ADDRESS] [--allow-private] [--json]\n"
      "       villaged init --dir DIR --role authority [--authorities LIST] [--address HOST:PORT] [--open] "
      "...\n"
      "       villaged init --dir DIR --role mix --authorities LIST [--address IP:PORT] [--operator WORD] "
      "...\n"
      "       villaged init --dir DIR --role gateway --authorities LIST [--tls ADDRESS] ...\n"
      "       villaged init --dir DIR --role client --authorities LIST --gateway KEY@HOST:PORT|URI ...\n"
      "\n"
      "Makes a node in DIR: identity.key (its key, mode 0600), villaged.json (explained line by line) and "
      "state/; where\n"
      "outer TLS is used also certificate.pem and certificate.key (self-signed), a decoy page and "
      "state/ticket.keys, from\n"
      "which invitations are made. Never overwrites.\n"
      "An exit lets peers' traffic out to the internet and listens on 0.0.0.0:8443 (--listen). An entry, the "
      "default,\n"
      "opens a SOCKS5 and HTTP proxy on 127.0.0.1:1080 (--proxy) and sends everything through its exit: the "
      "one whose\n"
      "invitation --peer gives, or the first that \"villaged peer add\" brings; until then nothing leaves.\n"
      "The other roles make a mixnet (docs/mix.md). authority: signs the directory, HTTP on 0.0.0.0:9470. "
      "mix, gateway:\n"
      "listen on 0.0.0.0:9001; others dial --address (else --listen). client: sends and receives through its "
      "--gateway.\n"
      "LIST is NAME=KEY@HOST:PORT,...: \"villaged mix authority list\" prints it, with --threshold N and "
      "--epoch TIME\n"
      "where they are not the usual. --tls gives a gateway a second address, with outer TLS, for "
      "invitations. "
      "Nodes with\n"
      "the same --operator are never two hops of one way.\n"
      "NAME is the machine's name if not given. --control none switches HTTP over TCP off.\n"
      "--allow-private is for tests on one machine: an exit's peers reach loopback and private addresses "
      "too, and an\n"
      "authority lets ways stay in one network (so it does by itself on a loopback address). --open: it "
      "lists "
      "whoever\n"
      "comes, and not only whom \"villaged mix node add\" named.\n"
      "\n"
      "example, two machines:\n"
      "  exit$  villaged init --dir ~/.villaged --role exit\n"
      "  exit$  villaged peer invite exit.example.org:8443 --config ~/.villaged/villaged.json\n"
      "  entry$ villaged init --dir ~/.villaged --peer 'htx://...'\n"
      "  exit$  villaged peer add --inbound KEY --name entry --config ~/.villaged/villaged.json\n",
      run,
      {},
      {"--dir DIR", "--role exit|entry|mix|gateway|authority|client", "--name NAME", "--peer URI",
       "--listen ADDRESS", "--proxy ADDRESS", "--control ADDRESS", "--allow-private", "--authorities LIST",
       "--threshold N", "--epoch TIME", "--address HOST:PORT", "--operator WORD", "--gateway KEY@HOST:PORT",
       "--tls ADDRESS", "--open", "--json"}};
}

}  // namespace village::control
