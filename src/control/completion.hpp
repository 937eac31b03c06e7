#pragma once
// Completion: scripts for shells, made from the table of verbs.
#include <optional>
#include <string>
#include <vector>

#include "village/control/verb.hpp"

namespace village::control {

/// completion_script writes the script of "bash", "zsh" or "fish"; nothing for another shell.
std::optional<std::string> completion_script(const std::string& shell, const std::vector<Verb>& table);

}  // namespace village::control
