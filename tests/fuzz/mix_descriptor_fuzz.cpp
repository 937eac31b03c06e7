// What nodes send to authorities: nothing crashes, and what is accepted has one form only.
#include <cstdlib>

#include "village/mix/descriptor.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace village;
  const auto text = as_bytes(data, size);
  const auto value =
      mix::parse_canonical_json(text, {mix::limits::descriptor_bytes_max, mix::limits::directory_depth_max,
                                       mix::limits::descriptor_values_max});
  if (value && mix::canonical_json(*value) != as_text(text)) std::abort();
  const auto read = mix::parse_signed_descriptor(text);
  if (!read) return 0;
  if (mix::to_json(*read) != as_text(text)) std::abort();
  (void)mix::verify(*read);
  return 0;
}
