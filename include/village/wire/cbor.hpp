#pragma once
// Deterministic CBOR: one encoding for each value, everything else refused. Sources: RFC 8949 section 4.2,
// htx.md 6.
//
// Accepted: unsigned and negative integers, byte strings, UTF-8 text, arrays, maps, false, true, null;
// shortest heads, definite lengths; map keys unique and ascending by their encoded bytes. Refused: floats,
// tags, undefined and other simple values, indefinite lengths, longer heads than needed, broken UTF-8,
// anything after the item.
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/wire/limits.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::wire {

enum class CborKind : std::uint8_t { uint, nint, bytes, text, array, map, boolean, null };

struct CborLimits {
  std::size_t bytes_max = limits::cbor_bytes_max;
  std::size_t depth_max = limits::cbor_depth_max;
  std::size_t items_max = limits::cbor_items_max;
};

/// validate_cbor checks that `in` is exactly one deterministic item within the limits. No allocation, one
/// pass, at most depth_max (<= 64) levels of state. Errors (detail = offset): truncated, trailing_bytes,
/// not_canonical, malformed, unsupported (float, tag, simple value), limit_exceeded.
Result<void> validate_cbor(ByteView in, const CborLimits& bounds = {});

/// CborReader walks over a validated item. Each step takes the next value or its head; a value of another
/// kind than asked for is malformed (detail = offset) and is not taken. Views live as long as the input.
///
///   VG_TRY(cbor, CborReader::open(in));
///   VG_TRY(count, cbor.map());
///   for (std::size_t i = 0; i < count; ++i) { VG_TRY(key, cbor.text()); ... VG_TRY_VOID(cbor.skip()); }
class CborReader {
 public:
  /// open runs validate_cbor.
  static Result<CborReader> open(ByteView in, const CborLimits& bounds = {});

  Result<CborKind> kind() const;   ///< of the next value; truncated at the end
  Result<std::uint64_t> uint();    ///< 0..2^64-1
  Result<std::int64_t> integer();  ///< either sign; limit_exceeded outside 64 bits
  Result<std::uint64_t> nint();    ///< n of the negative integer -1-n
  Result<ByteView> bytes();
  Result<std::string_view> text();
  Result<std::size_t> array();  ///< number of elements that follow
  Result<std::size_t> map();    ///< number of key-value pairs that follow
  Result<bool> boolean();
  Result<void> null();
  Result<void> skip();  ///< the next value, whatever is in it
  bool at_end() const { return reader_.at_end(); }
  std::size_t position() const { return reader_.position(); }

 private:
  explicit CborReader(ByteView in) : reader_{in} {}
  Result<std::uint64_t> head(std::uint8_t major);
  Reader reader_;
};

/// CborWriter writes heads and values in shortest form. The caller keeps the counts and writes map keys in
/// ascending order of their encoding (shorter text first, then bytewise); encode_cbor sorts by itself.
class CborWriter {
 public:
  explicit CborWriter(Writer& writer) : writer_{writer} {}
  void uint(std::uint64_t value) { head(0, value); }
  void nint(std::uint64_t n) { head(1, n); }  ///< the value -1-n
  void integer(std::int64_t value);
  void bytes(ByteView value);
  void text(std::string_view value);  ///< must be UTF-8 (VG_DCHECKed)
  void array(std::size_t count) { head(4, count); }
  void map(std::size_t count) { head(5, count); }
  void boolean(bool value) { writer_.u8(value ? 0xF5 : 0xF4); }
  void null() { writer_.u8(0xF6); }

 private:
  void head(std::uint8_t major, std::uint64_t argument);
  Writer& writer_;
};

struct CborEntry;

/// CborValue is an owned value, for small messages that are built or inspected as a whole (capabilities,
/// parameters).
class CborValue {
 public:
  struct Nint {
    std::uint64_t n;  ///< the value -1-n
    friend bool operator==(const Nint&, const Nint&) = default;
  };
  using Array = std::vector<CborValue>;
  using Map = std::vector<CborEntry>;  ///< any order; decoded ones are in canonical order

  CborValue() noexcept;  ///< null
  CborValue(const CborValue& other);
  CborValue(CborValue&& other) noexcept;
  CborValue& operator=(const CborValue& other);
  CborValue& operator=(CborValue&& other) noexcept;
  ~CborValue();
  static CborValue boolean(bool value);
  static CborValue uint(std::uint64_t value);
  static CborValue nint(std::uint64_t n);
  static CborValue integer(std::int64_t value);
  static CborValue bytes(ByteView value);
  static CborValue text(std::string_view value);
  static CborValue array(Array value);
  static CborValue map(Map value);

  CborKind kind() const;
  /// as_* give the value if it is of that kind, else nullptr.
  const bool* as_boolean() const { return std::get_if<bool>(&value_); }
  const std::uint64_t* as_uint() const { return std::get_if<std::uint64_t>(&value_); }
  const Nint* as_nint() const { return std::get_if<Nint>(&value_); }
  const Bytes* as_bytes() const { return std::get_if<Bytes>(&value_); }
  const std::string* as_text() const { return std::get_if<std::string>(&value_); }
  const Array* as_array() const { return std::get_if<Array>(&value_); }
  const Map* as_map() const { return std::get_if<Map>(&value_); }
  /// find looks a text key up in a map; nullptr if there is none or this is no map. O(entries).
  const CborValue* find(std::string_view key) const;

  friend bool operator==(const CborValue& a, const CborValue& b);

 private:
  using Value = std::variant<std::monostate, bool, std::uint64_t, Nint, Bytes, std::string, Array, Map>;
  explicit CborValue(Value value);
  Value value_;
};

struct CborEntry {
  CborValue key;
  CborValue value;
  friend bool operator==(const CborEntry&, const CborEntry&) = default;
};

/// decode_cbor validates and copies. Memory: at most items_max values of sizeof(CborValue) and the input's
/// own length.
Result<CborValue> decode_cbor(ByteView in, const CborLimits& bounds = {});

/// encode_cbor writes the one encoding of `value`, sorting map keys.
/// Errors: bad_argument (duplicate key, text that is not UTF-8), limit_exceeded (bytes, depth).
Result<Bytes> encode_cbor(const CborValue& value, const CborLimits& bounds = {});

}  // namespace village::wire
