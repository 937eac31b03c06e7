#pragma once
// Verb: one word of the command line, `villaged VERB ...`.
#include <functional>
#include <string>
#include <vector>

#include "village/control/version.hpp"

namespace village::control {

/// Verb is a row of the command table. run gets the arguments behind the verb and returns the exit status:
/// 0 fine, 1 failed, 2 bad usage or input.
struct Verb {
  std::string name;
  std::string summary;  ///< one line for `villaged --help`
  std::string usage;    ///< text of `villaged VERB --help`, ends with an example
  std::function<int(const std::vector<std::string>& args)> run;
  std::vector<std::string> words{};  ///< what may stand behind the verb: "invite", "add"; for completion
  std::vector<std::string>
      options{};  ///< "--config FILE", "--json"; the word behind an option says what it takes
};

/// verbs lists those of this module: init, peer, check, status, shape, mix, keygen, limits, version,
/// completion. `daemon` adds run and demo.
std::vector<Verb> verbs();

/// dispatch runs argv against the table; prints help, "did you mean", and errors in one readable line.
int dispatch(int argc, char** argv, const std::vector<Verb>& table);

}  // namespace village::control
