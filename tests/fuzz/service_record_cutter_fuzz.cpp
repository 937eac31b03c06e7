// A stream cut into records: whatever its pieces are, the records are its bytes in order, whole and once
// each. Input: size of a record 1 | lengths of pieces, 16 | the stream.
#include <array>
#include <cstdlib>

#include "service/record_cutter.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace village;
  constexpr std::size_t pieces = 16;
  if (size < 1 + pieces || data[0] == 0) return 0;
  const std::size_t record_bytes = data[0];
  const auto stream = as_bytes(data + 1 + pieces, size - 1 - pieces);
  service::RecordCutter cutter{record_bytes};
  std::size_t taken = 0;
  const auto take = [&](ByteView record) {
    if (record.size() != record_bytes || taken + record_bytes > stream.size()) std::abort();
    if (!std::equal(record.begin(), record.end(), stream.begin() + static_cast<std::ptrdiff_t>(taken)))
      std::abort();
    taken += record_bytes;
    return true;
  };
  auto rest = stream;
  for (std::size_t i = 0; !rest.empty(); i = (i + 1) % pieces) {
    // Copied to memory of its own size, so that a read beyond the piece is seen.
    const auto length = std::min<std::size_t>(rest.size(), std::size_t{data[1 + i]} + 1);
    const auto piece = to_bytes(rest.first(length));
    rest = rest.subspan(length);
    cutter.cut(piece, take);
  }
  if (taken != stream.size() / record_bytes * record_bytes) std::abort();
  return 0;
}
