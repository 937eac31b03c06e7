// The command line: villaged VERB [...].
#include <algorithm>
#include <cstdio>
#include <exception>

#include "control/arguments.hpp"
#include "control/suggest.hpp"
#include "village/control/verb.hpp"

namespace village::control {
namespace {

const std::vector<Verb>* table_in_use = nullptr;

std::string overview(const std::vector<Verb>& table) {
  std::size_t width = 0;
  for (const auto& verb : table) width = std::max(width, verb.name.size());
  std::string text = "usage: villaged VERB [...]\n\n";
  for (const auto& verb : table) {
    text += "  " + verb.name + std::string(width + 2 - verb.name.size(), ' ') + verb.summary + "\n";
  }
  return text +
         "\n\"villaged VERB --help\" explains a verb. Exit status: 0 fine, 1 failed, 2 bad usage or input.\n"
         "example: villaged init --dir ~/.villaged --role entry\n";
}

const Verb* find(const std::vector<Verb>& table, const std::string& name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&name](const Verb& verb) { return verb.name == name; });
  return found == table.end() ? nullptr : &*found;
}

int unknown(const std::string& word, const std::vector<Verb>& table) {
  std::vector<std::string> known;
  for (const auto& verb : table) known.push_back(verb.name);
  const auto meant = nearest(word, known);
  const auto cure = meant.empty() ? "\"villaged --help\" lists them" : "did you mean \"" + meant + "\"?";
  std::fprintf(stderr, "villaged: there is no verb \"%s\"; %s\n", word.c_str(), cure.c_str());
  return exit_usage;
}

bool asks_for_help(const std::vector<std::string>& args) {
  const auto end = std::find(args.begin(), args.end(), "--");
  return std::any_of(args.begin(), end, [](const auto& arg) { return arg == "--help" || arg == "-h"; });
}

int run(const Verb& verb, const std::vector<std::string>& args) {
  if (asks_for_help(args)) {
    print(verb.usage);
    return exit_fine;
  }
  try {
    return verb.run(args);
  } catch (const std::exception& problem) {
    return complain(verb.name, problem.what(), exit_failed);
  }
}

}  // namespace

const std::vector<Verb>& current_table() {
  static const std::vector<Verb> own = verbs();
  return table_in_use != nullptr ? *table_in_use : own;
}

int dispatch(int argc, char** argv, const std::vector<Verb>& table) {
  table_in_use = &table;
  std::vector<std::string> args(argv + std::min(argc, 1), argv + argc);
  if (args.empty()) {
    std::fputs(overview(table).c_str(), stderr);
    return exit_usage;
  }
  auto word = args.front();
  args.erase(args.begin());
  if (word == "--help" || word == "-h" || (word == "help" && args.empty())) {
    print(overview(table));
    return exit_fine;
  }
  if (word == "help") {
    word = args.front();
    args = {"--help"};
  }
  if (word == "--version") word = "version";
  const auto* verb = find(table, word);
  return verb != nullptr ? run(*verb, args) : unknown(word, table);
}

}  // namespace village::control
