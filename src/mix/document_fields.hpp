#pragma once
// Fields that documents and the statements of authorities share.
#include "village/mix/document.hpp"

namespace village::mix {

JsonValue parameters_value(const Parameters& parameters);
void read_parameters(JsonReader& reader, Parameters& out);
JsonValue document_value(const Document& document);

}  // namespace village::mix
