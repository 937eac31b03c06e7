#pragma once
// Dates as HTTP writes them.
#include <string>

#include "village/base/time.hpp"

namespace village::proxy {

/// http_date gives "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7). Years 1970 to 9999.
std::string http_date(WallTime when);

}  // namespace village::proxy
