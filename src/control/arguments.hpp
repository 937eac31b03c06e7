#pragma once
// Arguments: what stands behind a verb, sorted into options and the rest.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "village/control/verb.hpp"

namespace village::control {

inline constexpr int exit_fine = 0, exit_failed = 1, exit_usage = 2;  ///< exit statuses

class Arguments {
 public:
  /// Reads `args` by `options` in the form of Verb::options ("--json", "--config FILE"); "--key=value" works
  /// too, and "--" ends options. problem() says what is wrong.
  Arguments(const std::vector<std::string>& args, const std::vector<std::string>& options);

  const std::string& problem() const { return problem_; }
  bool has(const std::string& option) const { return values_.contains(option); }
  std::optional<std::string> value(const std::string& option) const;
  std::string value_or(const std::string& option, std::string fallback) const;
  const std::vector<std::string>& rest() const { return rest_; }

 private:
  void read(const std::vector<std::string>& args, const std::vector<std::string>& options);
  std::map<std::string, std::string> values_;
  std::vector<std::string> rest_;
  std::string problem_;
};

/// complain writes one line to standard error, "villaged VERB: message", and returns `status`.
int complain(const std::string& verb, const std::string& message, int status);

/// config_path is --config, else the first that is there of ./villaged.json, ~/.villaged/villaged.json and
/// /etc/villaged/villaged.json.
std::string config_path(const Arguments& arguments);

/// print writes a text to standard output.
void print(std::string_view text);

/// table gives the verbs that dispatch() was called with (completion needs those of other modules too).
const std::vector<Verb>& current_table();

}  // namespace village::control
