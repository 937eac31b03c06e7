#pragma once
// Json: values of the control plane. Ordered, so that what we write keeps the order of the tables.
#include <nlohmann/json.hpp>

namespace village::control {
using Json = nlohmann::ordered_json;
}
