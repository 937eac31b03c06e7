#pragma once
// Status as JSON (the API, `status --json`) and as a page of text (`status`).
#include <chrono>
#include <optional>
#include <string>

#include "control/json.hpp"
#include "village/control/server.hpp"

namespace village::control {

/// status_json is the body of /api/v1/status.
Json status_json(const NodeStatus& status);

/// status_text lays a status out for a terminal. With `before`, taken `elapsed` earlier, rates are shown;
/// without it they are not.
std::string status_text(const Json& status, const Json* before, std::chrono::duration<double> elapsed);

/// bytes_text writes "1.5 MiB"; age_text "2 h 3 min"; table pads cells to columns, the first row is the head.
std::string bytes_text(double bytes);
std::string age_text(double seconds);
std::string table_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace village::control
