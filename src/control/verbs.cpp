#include "control/verbs.hpp"

#include "village/base/limits.hpp"
#include "village/control/limits.hpp"

namespace village::control {
namespace {

constexpr village::limits::Row rows[] = {
    {"control", "config_bytes_max", 1, limits::config_bytes_max, "one configuration file"},
    {"control", "http_connections_max", limits::http_connections_max,
     2 * limits::http_header_bytes_max + limits::http_message_bytes_max,
     "connections to the control interface, with a request each"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);

}  // namespace

std::vector<Verb> verbs() {
  return {init_verb(), peer_verb(),   check_verb(),  status_verb(),  shape_verb(),
          mix_verb(),  keygen_verb(), limits_verb(), version_verb(), completion_verb()};
}

}  // namespace village::control
