#pragma once
// Suggest: the known word that was probably meant.
#include <string>
#include <string_view>
#include <vector>

namespace village::control {

/// nearest gives the candidate within a third of its length in edits (insert, remove, replace, swap), or one
/// that `word` begins or that begins `word` (three letters at least); "" if there is none.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// quoted_list writes "a", "b" or "c".
std::string quoted_list(const std::vector<std::string>& words, std::string_view last_joint = " or ");

}  // namespace village::control
