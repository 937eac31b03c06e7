// Messages in any bytes, in any pieces: what comes out does not depend on the pieces, nothing is longer than
// allowed, and what was refused stays refused. First byte: the size of the pieces.
#include <algorithm>

#include "village/base/check.hpp"
#include "village/htx/messages.hpp"

using namespace village;

namespace {

constexpr std::size_t bytes_max = 1'000;

/// read gives the messages behind each other, and whether the reader refused.
bool read(ByteView wire, std::size_t piece, Bytes& out) {
  htx::MessageReader reader{bytes_max};
  while (!wire.empty()) {
    auto data = wire.first(std::min(piece, wire.size()));
    wire = wire.subspan(data.size());
    for (;;) {
      const auto message = reader.next(data);
      if (!message) return false;
      if (!*message) break;
      VG_CHECK((*message)->size() <= bytes_max);
      out.push_back(std::byte{0x5A});
      out.insert(out.end(), (*message)->begin(), (*message)->end());
    }
    VG_CHECK(data.empty());
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = as_bytes(data, size);
  if (input.empty()) return 0;
  Bytes whole, pieces;
  const bool fine = read(input.subspan(1), input.size(), whole);
  const auto piece = std::to_integer<std::size_t>(input[0]) % 64 + 1;
  VG_CHECK(read(input.subspan(1), piece, pieces) == fine);
  VG_CHECK(whole == pieces);
  return 0;
}
