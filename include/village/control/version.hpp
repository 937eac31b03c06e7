#pragma once
// Version of this build.
#include <string_view>

namespace village::control {

/// version is the project's version, "0.1.0".
std::string_view version();
/// compiler says what built it: "g++ 12.2.0", "clang 14.0.6".
std::string_view compiler();

}  // namespace village::control
