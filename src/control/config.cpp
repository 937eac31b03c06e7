#include "village/control/config.hpp"

#include "control/config_check.hpp"
#include "control/config_table.hpp"
#include "control/files.hpp"

namespace village::control {
namespace {

enum class Depth { text, machine };

ConfigOutcome read_config(std::string_view text, const std::string& name, Depth depth) {
  Problems problems{name, text};
  ConfigOutcome outcome;
  if (const auto document = parse_document(text, problems)) {
    Config config;
    Reading reading{problems};
    config_shape().read(config, document->root, document->marks, reading);
    config.path = name;
    check_references(config, *document, problems);
    const bool readable = !problems.any();
    complete(config);
    if (readable) load_shape(config, *document, depth == Depth::machine, problems);
    if (readable && depth == Depth::machine) {
      check_files(config, *document, problems);
      rlimit descriptors{};
      if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        fit_descriptors(config, *document, descriptors.rlim_max, problems);
      }
    }
    if (!problems.any()) outcome.config = std::move(config);
  }
  outcome.errors = problems.take_errors();
  outcome.warnings = problems.take_warnings();
  return outcome;
}

}  // namespace

ConfigOutcome load_config(const std::string& path, bool check_files) {
  std::string problem;
  const auto text = read_file(path, limits::config_bytes_max, problem);
  if (!text) {
    ConfigOutcome outcome;
    outcome.errors.push_back({path, 0, 0, {}, problem});
    return outcome;
  }
  return read_config(*text, path, check_files ? Depth::machine : Depth::text);
}

ConfigOutcome parse_config(std::string_view text, const std::string& name) {
  return read_config(text, name, Depth::text);
}

std::string config_schema() {
  Json schema{
      {"$schema", "http://json-schema.org/draft-07/schema#"},
      {"title", "villaged.json"},
      {"description",
       "Configuration of villaged: JSON with comments. Unknown keys are refused. x-reload says when a "
       "changed key "
       "takes effect after SIGHUP: at once (live), for new sessions and connections (new-sessions), or after "
       "a "
       "restart. Durations are \"500ms\", \"10s\", \"2m\", \"1h\"; sizes are bytes or \"64KiB\", \"1MiB\"."}};
  schema.update(config_shape().schema);
  return schema.dump(2) + "\n";
}

std::string masked_json(const Config& config) {
  return config_shape().write(config, Show::masked).dump(2) + "\n";
}

std::vector<std::string> restart_keys(const Config& before, const Config& after) {
  std::vector<std::string> out;
  config_shape().changes(before, after, "", Reload::live, out);
  return out;
}

}  // namespace village::control
