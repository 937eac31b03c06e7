#include "control/completion.hpp"

#include <algorithm>

#include "control/arguments.hpp"
#include "control/suggest.hpp"
#include "control/verbs.hpp"

namespace village::control {
namespace {

/// Option is "--role exit|entry" taken apart.
struct Option {
  std::string name;
  std::string value;  ///< "" = a switch
};

Option take_apart(const std::string& declared) {
  const auto blank = declared.find(' ');
  if (blank == std::string::npos) return {declared, {}};
  return {declared.substr(0, blank), declared.substr(blank + 1)};
}

/// choices gives the words of "exit|entry"; none if the value is not of that form.
std::vector<std::string> choices(const std::string& value) {
  std::vector<std::string> words;
  if (value.find('|') == std::string::npos) return words;
  for (std::size_t begin = 0; begin <= value.size();) {
    const auto end = std::min(value.find('|', begin), value.size());
    words.push_back(value.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

/// quoted makes one shell word; no text of ours holds a single quote that must survive.
std::string quoted(std::string text) {
  std::erase(text, '\'');
  return "'" + text + "'";
}

std::string bash_value(const std::string& value) {
  if (value == "FILE" || value == "PATH") return "-f";
  if (value == "DIR") return "-d";
  return "-W " + quoted(joined(choices(value)));
}

std::string bash(const std::vector<Verb>& table) {
  std::vector<std::string> names;
  std::string values, words;
  for (const auto& verb : table) {
    names.push_back(verb.name);
    auto list = verb.words;
    for (const auto& declared : verb.options) {
      const auto option = take_apart(declared);
      list.push_back(option.name);
      if (option.value.empty()) continue;
      values += "    " + verb.name + ":" + option.name + ") mapfile -t COMPREPLY < <(compgen " +
                bash_value(option.value) + " -- \"$cur\"); return ;;\n";
    }
    list.emplace_back("--help");
    words += "    " + verb.name + ") words=" + quoted(joined(list)) + " ;;\n";
  }
  return "# bash completion for villaged: villaged completion bash > "
         "/usr/share/bash-completion/completions/villaged\n"
         "_villaged() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} "
         "words=\n"
         "  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W " +
         quoted(joined(names)) +
         " -- \"$cur\")\n"
         "    return\n"
         "  fi\n"
         "  case \"$verb:$prev\" in\n" +
         values +
         "  esac\n"
         "  case \"$verb\" in\n" +
         words +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
         "}\n"
         "complete -o filenames -F _villaged villaged\n";
}

std::string zsh_value(const std::string& value) {
  if (value.empty()) return "";
  if (value == "FILE" || value == "PATH") return ":" + value + ":_files";
  if (value == "DIR") return ":DIR:_files -/";
  return ":value:(" + joined(choices(value)) + ")";
}

std::string zsh(const std::vector<Verb>& table) {
  std::string verbs, cases;
  for (const auto& verb : table) {
    verbs += "    " + quoted(verb.name + ":" + verb.summary) + "\n";
    cases += "    " + verb.name + ") _arguments";
    for (const auto& declared : verb.options) {
      const auto option = take_apart(declared);
      cases += " " + quoted(option.name + zsh_value(option.value));
    }
    if (!verb.words.empty()) cases += " " + quoted("1:word:(" + joined(verb.words) + ")");
    cases += " '--help' '*:file:_files' ;;\n";
  }
  return "#compdef villaged\n"
         "# zsh completion for villaged: villaged completion zsh > a folder of $fpath, as _villaged\n"
         "_villaged() {\n"
         "  local -a verbs\n"
         "  verbs=(\n" +
         verbs +
         "  )\n"
         "  if (( CURRENT == 2 )); then\n"
         "    _describe verb verbs\n"
         "    return\n"
         "  fi\n"
         "  shift words\n"
         "  (( CURRENT-- ))\n"
         "  case $words[1] in\n" +
         cases +
         "  esac\n"
         "}\n"
         "compdef _villaged villaged\n";
}

std::string fish(const std::vector<Verb>& table) {
  std::string out =
      "# fish completion for villaged: villaged completion fish > ~/.config/fish/completions/villaged.fish\n"
      "complete -c villaged -f\n";
  for (const auto& verb : table) {
    out += "complete -c villaged -n __fish_use_subcommand -a " + verb.name + " -d " + quoted(verb.summary) +
           "\n";
    const auto when = "complete -c villaged -n " + quoted("__fish_seen_subcommand_from " + verb.name);
    if (!verb.words.empty()) out += when + " -a " + quoted(joined(verb.words)) + "\n";
    for (const auto& declared : verb.options) {
      const auto option = take_apart(declared);
      out += when + " -l " + option.name.substr(2);
      const auto words = choices(option.value);
      if (!words.empty()) {
        out += " -x -a " + quoted(joined(words));
      } else if (!option.value.empty()) {
        out += option.value == "FILE" || option.value == "DIR" || option.value == "PATH" ? " -r -F" : " -x";
      }
      out += "\n";
    }
  }
  return out;
}

int run(const std::vector<std::string>& args) {
  const Arguments arguments{args, {}};
  if (!arguments.problem().empty()) return complain("completion", arguments.problem(), exit_usage);
  if (arguments.rest().size() != 1)
    return complain("completion", "name one shell: bash, zsh or fish", exit_usage);
  const auto script = completion_script(arguments.rest().front(), current_table());
  if (!script)
    return complain("completion", "\"" + arguments.rest().front() + "\" is none of bash, zsh, fish",
                    exit_usage);
  print(*script);
  return exit_fine;
}

}  // namespace

std::optional<std::string> completion_script(const std::string& shell, const std::vector<Verb>& table) {
  if (shell == "bash") return bash(table);
  if (shell == "zsh") return zsh(table);
  if (shell == "fish") return fish(table);
  return std::nullopt;
}

Verb completion_verb() {
  return {"completion",
          "print the completion script of a shell",
          "usage: villaged completion bash|zsh|fish\n"
          "\n"
          "Prints a script that makes the shell complete verbs, options and files.\n"
          "\n"
          "example: . <(villaged completion bash)\n",
          run,
          {"bash", "zsh", "fish"},
          {}};
}

}  // namespace village::control
