// Deterministic CBOR: what is accepted is the one encoding of its value; all three readers agree.
#include <cstdint>

#include "village/base/check.hpp"
#include "village/wire/cbor.hpp"

using namespace village;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto in = as_bytes(data, size);
  const bool valid = wire::validate_cbor(in).has_value();
  const auto value = wire::decode_cbor(in);
  VG_CHECK(value.has_value() == valid);
  if (!valid) return 0;
  const auto again = wire::encode_cbor(*value);
  VG_CHECK(again.has_value());
  VG_CHECK(std::equal(again->begin(), again->end(), in.begin(), in.end()));
  auto reader = wire::CborReader::open(in).value();
  VG_CHECK(reader.skip().has_value());
  VG_CHECK(reader.at_end());
  return 0;
}
