#pragma once
// The web page at "/": one text without anything from elsewhere.
#include <string>

namespace village::control {

/// web_page is the page, and web_page_policy the Content-Security-Policy that lets its own script and style
/// run and nothing else.
const std::string& web_page();
const std::string& web_page_policy();

}  // namespace village::control
