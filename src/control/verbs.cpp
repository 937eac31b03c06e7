#include "control/verbs.hpp"

namespace village::control {

std::vector<Verb> verbs() {
  return {init_verb(),   peer_verb(),   check_verb(),   status_verb(),
          keygen_verb(), limits_verb(), version_verb(), completion_verb()};
}

}  // namespace village::control
