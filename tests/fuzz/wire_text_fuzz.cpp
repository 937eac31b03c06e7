// Texts and small codecs: whatever decodes is written back as it came. The first byte chooses the codec.
#include <cstdint>

#include "village/base/check.hpp"
#include "village/wire/base32.hpp"
#include "village/wire/base64.hpp"
#include "village/wire/node_id.hpp"
#include "village/wire/socks_address.hpp"
#include "village/wire/varint.hpp"

using namespace village;

namespace {

constexpr std::size_t bytes_max = 4096;

void texts(std::uint8_t which, std::string_view text) {
  if (which == 0) {
    const auto bytes = wire::from_base64(text, bytes_max);
    VG_CHECK(!bytes || wire::base64(*bytes) == text);
  } else if (which == 1) {
    const auto bytes = wire::from_base64url(text, bytes_max);
    VG_CHECK(!bytes || wire::base64url(*bytes) == text);
  } else if (which == 2) {
    const auto bytes = wire::from_base32(text, bytes_max);
    VG_CHECK(!bytes || wire::base32(*bytes) == text);
  } else if (which == 3) {
    const auto id = wire::NodeId::parse(text);
    VG_CHECK(!id || id->name() == text);
  } else {
    const auto id = wire::PeerId::parse_uri(text);
    VG_CHECK(!id || id->uri() == text);
  }
}

void target(ByteView in) {
  wire::Reader reader{in};
  const auto read = wire::read_target(reader);
  if (!read) {
    VG_CHECK(reader.position() == 0);
    return;
  }
  Bytes out;
  wire::Writer writer{out, wire::socks_address_bytes_max};
  wire::write_target(writer, *read);
  VG_CHECK(to_hex(writer.finish().value()) == to_hex(reader.since(0)));
}

template <class Read, class Write>
void integer(ByteView in, Read read, Write write) {
  wire::Reader reader{in};
  const auto value = read(reader);
  if (!value) return;
  Bytes out;
  wire::Writer writer{out, 16};
  write(writer, *value);
  VG_CHECK(to_hex(out) == to_hex(reader.since(0)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto in = as_bytes(data + 1, size - 1);
  switch (data[0] % 8) {
    case 5:
      target(in);
      break;
    case 6:
      integer(
          in, [](wire::Reader& r) { return wire::read_varint(r, wire::Form::shortest); }, wire::write_varint);
      break;
    case 7:
      integer(
          in, [](wire::Reader& r) { return wire::read_leb128(r); }, wire::write_leb128);
      break;
    default:
      texts(data[0] % 8, as_text(in));
  }
  return 0;
}
