#pragma once
// Texts made from the table of the configuration: a commented file, and the manual page villaged.json(5).
#include <string>
#include <string_view>

#include "control/json.hpp"

namespace village::control {

/// commented_config writes a configuration in which every key is explained. Keys of `values` (the form of
/// villaged.json) stand as they are; all others stand as comments with their defaults. `head` is the comment
/// on top, lines divided by \n.
std::string commented_config(const Json& values, std::string_view head);

/// example_config is config/villaged.json.
std::string example_config();

/// config_manual is docs/man/villaged.json.5.
std::string config_manual();

/// inline_json writes a value on one line, with blanks behind commas and colons.
std::string inline_json(const Json& value);

}  // namespace village::control
