// Records between client and gateway: what is accepted is the one encoding of its parts, in either direction.
#include <algorithm>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/mix/gateway_records.hpp"

using namespace village;

namespace {

template <class Record>
void expect_same(const mix::GatewayRecords& records, const Result<Record>& record, ByteView in) {
  if (!record) return;
  Bytes again(records.record_bytes());
  VG_CHECK(records.write(*record, again).has_value());
  VG_CHECK(std::equal(again.begin(), again.end(), in.begin(), in.end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto in = as_bytes(data, size);
  constexpr std::size_t smallest = sphinx::limits::header_bytes + sphinx::limits::payload_bytes_min;
  const auto overhead = mix::gateway_record_bytes(0);
  if (size < overhead + smallest || size > overhead + 4'096) return 0;
  const mix::GatewayRecords records{size - overhead};
  expect_same(records, records.read_up(in), in);
  expect_same(records, records.read_down(in), in);
  return 0;
}
