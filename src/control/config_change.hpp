#pragma once
// ConfigChange: a configuration file that a verb edits in place, and how a running node hears of it.
#include <optional>
#include <string>

#include "control/arguments.hpp"
#include "control/config_edit.hpp"
#include "village/control/config.hpp"

namespace village::control {

class ConfigChange {
 public:
  explicit ConfigChange(std::string path) : path_{std::move(path)} {}

  /// open reads the file; it must be right before it is changed. false: problem() says why.
  bool open();
  /// save checks the result and puts it in the place of the old file.
  bool save();

  ConfigEdit& edit() { return *edit_; }
  const Config& config() const { return config_; }
  const std::string& problem() const { return problem_; }
  const std::string& path() const { return path_; }

  /// find_peer gives the place of a peer in htx.peers.
  std::optional<std::size_t> find_peer(const crypto::Ed25519Public& key) const;
  std::optional<std::size_t> find_peer(const std::string& name) const;

 private:
  std::string path_, problem_;
  std::optional<ConfigEdit> edit_;
  Config config_;
};

/// print_errors writes an outcome's errors to standard error.
void print_errors(const ConfigOutcome& outcome);

/// apply_change tells a running node, unless --no-reload; its absence is no failure. Returns the exit status
/// of `verb`.
int apply_change(const Arguments& arguments, const std::string& verb, const Config& config);

}  // namespace village::control
