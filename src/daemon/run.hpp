#pragma once
// run: the verb that is the daemon.
#include "village/control/verb.hpp"

namespace village::daemon {

control::Verb run_verb();

}  // namespace village::daemon
