#pragma once
// The head of a CBOR item: three bits of major type, then an argument in 0, 1, 2, 4 or 8 further bytes (RFC
// 8949 3).
#include "village/wire/reader.hpp"

namespace village::wire {

enum Major : std::uint8_t {
  major_uint,
  major_nint,
  major_bytes,
  major_text,
  major_array,
  major_map,
  major_tag,
  major_simple
};

inline constexpr std::uint64_t simple_false = 20, simple_true = 21, simple_null = 22;

struct CborHead {
  std::uint8_t major;
  std::uint64_t argument;
};

/// read_cbor_head reads a head in shortest form and refuses what deterministic CBOR does not have.
inline Result<CborHead> read_cbor_head(Reader& reader) {
  const auto start = reader.position();
  VG_TRY(first, reader.u8());
  const auto major = static_cast<std::uint8_t>(first >> 5);
  const auto low = static_cast<std::uint8_t>(first & 0x1F);
  if (major == major_tag) return fail(Errc::unsupported, start);
  if (major == major_simple) {
    if (low < simple_false || low > simple_null) return fail(Errc::unsupported, start);
    return CborHead{major, low};
  }
  if (low < 24) return CborHead{major, low};
  if (low == 31 && major >= major_bytes) return fail(Errc::not_canonical, start);  // indefinite length
  if (low > 27) return fail(Errc::malformed, start);
  const std::size_t size = std::size_t{1} << (low - 24);
  VG_TRY(tail, reader.bytes(size));
  std::uint64_t argument = 0;
  for (const auto b : tail) argument = argument << 8 | std::to_integer<std::uint64_t>(b);
  const bool shortest = size == 1 ? argument >= 24 : argument >> (4 * size) != 0;  // upper half in use
  if (!shortest) return fail(Errc::not_canonical, start);
  return CborHead{major, argument};
}

}  // namespace village::wire
