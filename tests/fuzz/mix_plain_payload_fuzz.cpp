// Plain payloads: what is accepted is the one encoding of its parts.
#include <algorithm>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/mix/plain_payload.hpp"

using namespace village;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto in = as_bytes(data, size);
  const auto payload = mix::parse_plain_payload(in, size);
  if (!payload) return 0;
  Bytes again(size);
  VG_CHECK(mix::write_plain_payload(*payload, again).has_value());
  VG_CHECK(std::equal(again.begin(), again.end(), in.begin(), in.end()));
  return 0;
}
