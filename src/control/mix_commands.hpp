#pragma once
// The words behind `villaged mix`, one row each; verb_mix.cpp puts them together.
#include <optional>
#include <string>
#include <vector>

#include "control/arguments.hpp"
#include "village/mix/document.hpp"
#include "village/mix/topology.hpp"

namespace village::control {

/// MixCommand is one word of `villaged mix WORD ...`.
struct MixCommand {
  std::string word;
  std::vector<std::string> synopsis;  ///< behind "villaged mix ": "path --to NODE [--json]"
  std::string help;                   ///< a few lines, each ends with "\n"
  std::vector<std::string> examples;  ///< behind "villaged mix "
  std::vector<std::string> options;   ///< as Verb::options; one that two commands have must be written alike
  int (*run)(const Arguments& arguments);  ///< arguments.rest()[0] is the word
};

MixCommand mix_directory_command();
MixCommand mix_path_command();
MixCommand mix_audit_command();
// verb_mix_members.cpp
MixCommand mix_authority_command();
MixCommand mix_node_command();
MixCommand mix_client_command();
// verb_mix_messages.cpp
MixCommand mix_ping_command();
MixCommand mix_send_command();
MixCommand mix_recv_command();
MixCommand mix_keys_command();

/// mix_problem writes one line to standard error and returns `status`.
int mix_problem(const std::string& message, int status);

/// NamedDocument is a document and where it came from.
struct NamedDocument {
  std::string source;
  mix::SignedDocument document;
};
/// read_document reads a file in canonical form; otherwise nothing, and `problem` says why.
std::optional<NamedDocument> read_document(const std::string& path, std::string& problem);
/// find_document takes the file `path`; without one asks --from (for --epoch, or the one by --epoch-length);
/// without that reads what the configured node has kept of this epoch.
std::optional<NamedDocument> find_document(const Arguments& arguments, const std::optional<std::string>& path,
                                           std::string& problem);
/// number_option reads a whole number of [low, high]; nothing and a problem if it is none.
std::optional<std::uint64_t> number_option(const Arguments& arguments, const std::string& option,
                                           std::uint64_t fallback, std::uint64_t low, std::uint64_t high,
                                           std::string& problem);
std::string utc_text(WallTime when);  ///< "2026-04-01 12:00:00 UTC"
std::string roles_text(const mix::Roles& roles);

}  // namespace village::control
