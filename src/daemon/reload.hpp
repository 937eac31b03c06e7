#pragma once
// What a reload may change and what it must leave alone.
#include <string>
#include <vector>

#include "village/control/config.hpp"

namespace village::daemon {

/// files_of lists the files that a configuration names.
std::vector<std::string> files_of(const control::Config& config);
/// keep_restart_values is `changed` with everything that only a restart can change taken from `started`:
/// node, net, control, daemon, mix, identity, listening addresses. Certificate files of a listener do change.
control::Config keep_restart_values(const control::Config& started, control::Config changed);

}  // namespace village::daemon
