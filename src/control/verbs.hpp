#pragma once
// The verbs of this module, one function each.
#include "village/control/verb.hpp"

namespace village::control {

Verb init_verb();
Verb peer_verb();
Verb check_verb();
Verb status_verb();
Verb shape_verb();
Verb mix_verb();
Verb keygen_verb();
Verb limits_verb();
Verb version_verb();
Verb completion_verb();

}  // namespace village::control
