// villaged mix: the mixnet by hand. Each word is a row of mix_commands().
#include <algorithm>

#include "control/mix_commands.hpp"
#include "control/suggest.hpp"
#include "control/verbs.hpp"

namespace village::control {
namespace {

std::vector<MixCommand> mix_commands() {
  return {mix_ping_command(),      mix_send_command(),  mix_recv_command(),  mix_keys_command(),
          mix_directory_command(), mix_path_command(),  mix_audit_command(), mix_authority_command(),
          mix_node_command(),      mix_client_command()};
}

int run(const std::vector<std::string>& args) {
  const auto verb = mix_verb();
  const Arguments arguments{args, verb.options};
  if (!arguments.problem().empty()) return mix_problem(arguments.problem(), exit_usage);
  if (arguments.rest().empty()) return mix_problem("say what: " + quoted_list(verb.words), exit_usage);
  const auto& word = arguments.rest().front();
  for (const auto& command : mix_commands()) {
    if (command.word == word) return command.run(arguments);
  }
  const auto meant = nearest(word, verb.words);
  return mix_problem(
      "unknown \"" + word + "\"; " +
          (meant.empty() ? "expected " + quoted_list(verb.words) : "did you mean \"" + meant + "\"?"),
      exit_usage);
}

}  // namespace

int mix_problem(const std::string& message, int status) { return complain("mix", message, status); }

Verb mix_verb() {
  Verb verb{"mix", "look at and work with a mixnet by hand", {}, run, {}, {}};
  std::string examples;
  for (const auto& command : mix_commands()) {
    for (const auto& synopsis : command.synopsis) {
      verb.usage += (verb.usage.empty() ? "usage: villaged mix " : "       villaged mix ") + synopsis + "\n";
    }
    for (const auto& example : command.examples) examples += "example: villaged mix " + example + "\n";
    verb.words.push_back(command.word);
    for (const auto& option : command.options) {
      if (std::find(verb.options.begin(), verb.options.end(), option) == verb.options.end()) {
        verb.options.push_back(option);
      }
    }
  }
  verb.usage += "\n";
  for (const auto& command : mix_commands()) verb.usage += command.help;
  verb.usage +=
      "Exit status: 0 fine, 1 failed or does not hold, 2 bad usage or a file with errors.\n\n" + examples;
  return verb;
}

}  // namespace village::control
