#pragma once
// The mixnet's part of the status, as JSON and as text.
#include <string>

#include "control/json.hpp"
#include "village/service/mix_status.hpp"

namespace village::control {

Json mix_json(const service::MixStatus& status);
/// mix_text writes what mix_json made, for a person.
std::string mix_text(const Json& mix);

}  // namespace village::control
