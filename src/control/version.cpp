#include "village/control/version.hpp"

namespace village::control {

std::string_view version() { return VILLAGE_VERSION; }

std::string_view compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

}  // namespace village::control
