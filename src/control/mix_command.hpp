#pragma once
// The words behind "villaged mix".
#include <functional>
#include <string>
#include <vector>

#include "control/arguments.hpp"

namespace village::control {

/// MixCommand is one of them.
struct MixCommand {
  std::string name;
  std::vector<std::string> options;  ///< in the form of Verb::options
  std::string usage;                 ///< one line or more of the verb's help, indented by two blanks
  std::function<int(const Arguments&)> run;
};

// verb_mix_messages.cpp
MixCommand mix_send_command();
MixCommand mix_recv_command();
MixCommand mix_ping_command();
MixCommand mix_keys_command();

/// mix_complain is complain() for "mix WORD".
int mix_complain(const std::string& word, const std::string& message, int status);

}  // namespace village::control
