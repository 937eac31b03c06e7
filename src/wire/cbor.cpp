// Deterministic CBOR: validation, the streaming reader and the streaming writer.
#include "village/wire/cbor.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "village/base/check.hpp"
#include "village/base/limits.hpp"
#include "village/wire/utf8.hpp"
#include "wire/cbor_head.hpp"

namespace village::wire {
namespace {

constexpr village::limits::Row rows[] = {
    {"wire", "cbor_bytes_max", limits::cbor_bytes_max, 1, "one deterministic CBOR item on the wire"},
    {"wire", "cbor_depth_max", limits::cbor_depth_max, 0, "arrays and maps inside one another"},
    {"wire", "cbor_items_max", limits::cbor_items_max, sizeof(CborValue), "values of one decoded item"},
};
const bool declared = village::limits::declare(rows);

constexpr std::size_t depth_bound = 64;  // of any CborLimits: the validator's own state

/// Validator walks the item with an explicit stack, so that depth costs no call frames.
class Validator {
 public:
  Validator(ByteView in, const CborLimits& bounds) : in_{in}, reader_{in}, bounds_{bounds} {}

  Result<void> run() {
    do {
      VG_TRY(opened, item());
      if (!opened) VG_TRY_VOID(close());
    } while (depth_ > 0);
    return reader_.finish();
  }

 private:
  struct Level {
    std::uint64_t left;  ///< values still to come, keys counted
    bool is_map;
    std::size_t key_start;  ///< offset of the key being read
    ByteView previous_key;
  };

  /// item reads one value's head and body; true if it opened a container that has something in it.
  Result<bool> item() {
    const auto start = reader_.position();
    if (++items_ > bounds_.items_max) return fail(Errc::limit_exceeded, start);
    if (depth_ > 0 && at_key()) levels_[depth_ - 1].key_start = start;
    VG_TRY(head, read_cbor_head(reader_));
    switch (head.major) {
      case major_bytes:
      case major_text: {
        VG_TRY(body, take(head.argument));
        if (head.major == major_text && !is_utf8(body)) return fail(Errc::malformed, start);
        return false;
      }
      case major_array:
      case major_map:
        return open(head, start);
      default:
        return false;
    }
  }

  Result<ByteView> take(std::uint64_t size) {
    if (size > reader_.remaining()) return fail(Errc::truncated, reader_.position());
    return reader_.bytes(static_cast<std::size_t>(size));
  }

  Result<bool> open(const CborHead& head, std::size_t start) {
    if (depth_ == std::min(bounds_.depth_max, depth_bound)) return fail(Errc::limit_exceeded, start);
    const bool is_map = head.major == major_map;
    // Each value takes a byte at least: a count that cannot be met is refused here.
    if (head.argument > reader_.remaining() / (is_map ? 2 : 1))
      return fail(Errc::truncated, reader_.position());
    if (head.argument == 0) return false;
    levels_[depth_++] = Level{is_map ? 2 * head.argument : head.argument, is_map, 0, {}};
    return true;
  }

  bool at_key() const { return levels_[depth_ - 1].is_map && levels_[depth_ - 1].left % 2 == 0; }

  /// close ends the value just read, and every container that ends with it.
  Result<void> close() {
    while (depth_ > 0) {
      Level& level = levels_[depth_ - 1];
      if (at_key()) {
        const auto key = in_.subspan(level.key_start, reader_.position() - level.key_start);
        if (!std::lexicographical_compare(level.previous_key.begin(), level.previous_key.end(), key.begin(),
                                          key.end())) {
          return fail(Errc::not_canonical, level.key_start);
        }
        level.previous_key = key;
      }
      if (--level.left > 0) return ok();
      --depth_;
    }
    return ok();
  }

  ByteView in_;
  Reader reader_;
  const CborLimits& bounds_;
  std::array<Level, depth_bound> levels_;
  std::size_t depth_ = 0;
  std::size_t items_ = 0;
};

}  // namespace

Result<void> validate_cbor(ByteView in, const CborLimits& bounds) {
  if (in.size() > bounds.bytes_max) return fail(Errc::limit_exceeded, bounds.bytes_max);
  return Validator{in, bounds}.run();
}

Result<CborReader> CborReader::open(ByteView in, const CborLimits& bounds) {
  VG_TRY_VOID(validate_cbor(in, bounds));
  return CborReader{in};
}

Result<CborKind> CborReader::kind() const {
  VG_TRY(first, reader_.peek());
  switch (first >> 5) {
    case major_uint:
      return CborKind::uint;
    case major_nint:
      return CborKind::nint;
    case major_bytes:
      return CborKind::bytes;
    case major_text:
      return CborKind::text;
    case major_array:
      return CborKind::array;
    case major_map:
      return CborKind::map;
    default:
      return (first & 0x1F) == simple_null ? CborKind::null : CborKind::boolean;
  }
}

Result<std::uint64_t> CborReader::head(std::uint8_t major) {
  Reader ahead = reader_;
  VG_TRY(found, read_cbor_head(ahead));
  if (found.major != major) return fail(Errc::malformed, reader_.position());
  reader_ = ahead;
  return found.argument;
}

Result<std::uint64_t> CborReader::uint() { return head(major_uint); }
Result<std::uint64_t> CborReader::nint() { return head(major_nint); }

Result<std::int64_t> CborReader::integer() {
  const CborReader before = *this;
  VG_TRY(next, kind());
  VG_TRY(argument, head(next == CborKind::nint ? major_nint : major_uint));
  if (argument > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    *this = before;
    return fail(Errc::limit_exceeded, position());
  }
  const auto value = static_cast<std::int64_t>(argument);
  return next == CborKind::nint ? -1 - value : value;
}

Result<ByteView> CborReader::bytes() {
  VG_TRY(size, head(major_bytes));
  return reader_.bytes(static_cast<std::size_t>(size));
}

Result<std::string_view> CborReader::text() {
  VG_TRY(size, head(major_text));
  return reader_.text(static_cast<std::size_t>(size));
}

Result<std::size_t> CborReader::array() {
  VG_TRY(count, head(major_array));
  return static_cast<std::size_t>(count);
}

Result<std::size_t> CborReader::map() {
  VG_TRY(count, head(major_map));
  return static_cast<std::size_t>(count);
}

Result<bool> CborReader::boolean() {
  VG_TRY(next, kind());
  if (next != CborKind::boolean) return fail(Errc::malformed, position());
  VG_TRY(value, head(major_simple));
  return value == simple_true;
}

Result<void> CborReader::null() {
  VG_TRY(next, kind());
  if (next != CborKind::null) return fail(Errc::malformed, position());
  VG_TRY_VOID(head(major_simple));
  return ok();
}

Result<void> CborReader::skip() {
  for (std::uint64_t pending = 1; pending > 0; --pending) {
    VG_TRY(head, read_cbor_head(reader_));
    if (head.major == major_bytes || head.major == major_text) {
      VG_TRY_VOID(reader_.skip(static_cast<std::size_t>(head.argument)));
    }
    if (head.major == major_array) pending += head.argument;
    if (head.major == major_map) pending += 2 * head.argument;
  }
  return ok();
}

void CborWriter::head(std::uint8_t major, std::uint64_t argument) {
  const auto first = static_cast<std::uint8_t>(major << 5);
  if (argument < 24) {
    writer_.u8(static_cast<std::uint8_t>(first | argument));
  } else if (argument <= 0xFF) {
    writer_.u8(first | 24);
    writer_.u8(static_cast<std::uint8_t>(argument));
  } else if (argument <= 0xFFFF) {
    writer_.u8(first | 25);
    writer_.u16(static_cast<std::uint16_t>(argument));
  } else if (argument <= 0xFFFFFFFF) {
    writer_.u8(first | 26);
    writer_.u32(static_cast<std::uint32_t>(argument));
  } else {
    writer_.u8(first | 27);
    writer_.u64(argument);
  }
}

void CborWriter::integer(std::int64_t value) {
  if (value >= 0) return uint(static_cast<std::uint64_t>(value));
  nint(static_cast<std::uint64_t>(-1 - value));
}

void CborWriter::bytes(ByteView value) {
  head(major_bytes, value.size());
  writer_.bytes(value);
}

void CborWriter::text(std::string_view value) {
  VG_DCHECK(is_utf8(as_bytes(value)));
  head(major_text, value.size());
  writer_.text(value);
}

}  // namespace village::wire
