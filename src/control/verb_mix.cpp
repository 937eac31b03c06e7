// villaged mix: the mixnet by hand.
#include <algorithm>

#include "control/mix_command.hpp"
#include "control/suggest.hpp"
#include "control/verbs.hpp"

namespace village::control {
namespace {

const std::vector<MixCommand>& commands() {
  static const std::vector<MixCommand> all{mix_ping_command(), mix_send_command(), mix_recv_command(),
                                           mix_keys_command()};
  return all;
}

int run(const std::vector<std::string>& args) {
  std::vector<std::string> known;
  for (const auto& command : commands()) known.push_back(command.name);
  if (args.empty()) return complain("mix", "say what: " + quoted_list(known), exit_usage);
  for (const auto& command : commands()) {
    if (command.name != args.front()) continue;
    const Arguments arguments{{args.begin() + 1, args.end()}, command.options};
    if (!arguments.problem().empty()) return mix_complain(command.name, arguments.problem(), exit_usage);
    return command.run(arguments);
  }
  const auto meant = nearest(args.front(), known);
  return complain("mix",
                  "there is no \"" + args.front() + "\"; " +
                      (meant.empty() ? "known: " + quoted_list(known) : "did you mean \"" + meant + "\"?"),
                  exit_usage);
}

}  // namespace

int mix_complain(const std::string& word, const std::string& message, int status) {
  return complain("mix " + word, message, status);
}

Verb mix_verb() {
  Verb verb;
  verb.name = "mix";
  verb.summary = "send and receive by the mixnet";
  verb.usage = "usage: villaged mix WORD [...]\n\n";
  for (const auto& command : commands()) {
    verb.usage += command.usage;
    verb.words.push_back(command.name);
    for (const auto& option : command.options) {
      if (std::find(verb.options.begin(), verb.options.end(), option) == verb.options.end())
        verb.options.push_back(option);
    }
  }
  verb.usage +=
      "\n"
      "These ask a running node (--config FILE or --socket PATH) or read its files. Exit status: 0 fine, 1 "
      "failed, 2 "
      "bad usage.\n"
      "\n"
      "example: echo hello | villaged mix send ADDRESS --wait 60 --config ~/.villaged/villaged.json\n";
  verb.run = run;
  return verb;
}

}  // namespace village::control
