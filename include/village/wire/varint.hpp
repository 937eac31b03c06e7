#pragma once
// Integers of variable length: QUIC's (RFC 9000 section 16) and LEB128.
#include <bit>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::wire {

/// Form says whether a longer encoding than needed is accepted (RFC 9000 allows it) or refused as
/// not_canonical.
enum class Form : std::uint8_t { any, shortest };

inline constexpr std::uint64_t varint_max = (std::uint64_t{1} << 62) - 1;

/// varint_bytes is 1, 2, 4 or 8. value <= varint_max (VG_CHECKed).
inline std::size_t varint_bytes(std::uint64_t value) {
  VG_CHECK(value <= varint_max);
  if (value < (1U << 6)) return 1;
  if (value < (1U << 14)) return 2;
  return value < (1U << 30) ? 4 : 8;
}

/// read_varint reads a QUIC varint. Errors: truncated, not_canonical (Form::shortest only). Does not move on
/// failure.
inline Result<std::uint64_t> read_varint(Reader& reader, Form form = Form::any) {
  Reader ahead = reader;
  VG_TRY(first, ahead.u8());
  const std::size_t size = std::size_t{1} << (first >> 6);
  std::uint64_t value = first & 0x3F;
  VG_TRY(tail, ahead.bytes(size - 1));
  for (const auto b : tail) value = value << 8 | std::to_integer<std::uint64_t>(b);
  if (form == Form::shortest && varint_bytes(value) != size) {
    return fail(Errc::not_canonical, reader.position());
  }
  reader = ahead;
  return value;
}

/// write_varint writes the shortest form. value <= varint_max (VG_CHECKed).
inline void write_varint(Writer& writer, std::uint64_t value) {
  switch (varint_bytes(value)) {
    case 1:
      return writer.u8(static_cast<std::uint8_t>(value));
    case 2:
      return writer.u16(static_cast<std::uint16_t>(value | 0x4000));
    case 4:
      return writer.u32(static_cast<std::uint32_t>(value | 0x80000000));
    default:
      return writer.u64(value | 0xC000000000000000);
  }
}

inline constexpr std::size_t leb128_bytes_max = 10;  ///< of a 64-bit value

inline std::size_t leb128_bytes(std::uint64_t value) {
  return value == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(value)) + 6) / 7;
}

/// read_leb128 reads an unsigned LEB128 of at most `bytes_max` bytes (1..10).
/// Errors: truncated, limit_exceeded (too long, or above 64 bits), not_canonical. Does not move on failure.
inline Result<std::uint64_t> read_leb128(Reader& reader, Form form = Form::shortest,
                                         std::size_t bytes_max = leb128_bytes_max) {
  Reader ahead = reader;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes_max; ++i) {
    VG_TRY(octet, ahead.u8());
    if (i == leb128_bytes_max - 1 && octet > 1) break;  // the tenth byte has room for one bit
    value |= std::uint64_t{octet & 0x7FU} << (7 * i);
    if ((octet & 0x80) != 0) continue;
    if (form == Form::shortest && i > 0 && octet == 0) return fail(Errc::not_canonical, reader.position());
    reader = ahead;
    return value;
  }
  return fail(Errc::limit_exceeded, reader.position());
}

inline void write_leb128(Writer& writer, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) writer.u8(static_cast<std::uint8_t>(value | 0x80));
  writer.u8(static_cast<std::uint8_t>(value));
}

}  // namespace village::wire
