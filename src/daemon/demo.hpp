#pragma once
// demo: real nodes as child processes, real traffic through each transport, verified by digest.
#include "village/control/verb.hpp"

namespace village::daemon {

control::Verb demo_verb();

}  // namespace village::daemon
