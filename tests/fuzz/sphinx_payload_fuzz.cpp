// A payload without layers: what opens is written again as the same bytes.
#include <algorithm>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/sphinx/payload.hpp"

using namespace village;
using namespace village::sphinx;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto payload = as_bytes(data, size);
  const auto message = open_payload(payload);
  if (!message) return 0;
  VG_CHECK(message->size() <= message_bytes_max(size));
  if (size < limits::payload_bytes_min) return 0;
  Bytes again(size);
  VG_CHECK(write_payload(*message, again));
  VG_CHECK(std::ranges::equal(again, payload));
  return 0;
}
