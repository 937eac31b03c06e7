#pragma once
// Canonical JSON: one sequence of bytes for one value, so that values can be signed. Source: RFC 8785 (and
// RFC 7493 for the numbers), without null, fractions and exponents.
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"

namespace village::mix {

inline constexpr std::int64_t json_integer_max = (std::int64_t{1} << 53) - 1;  ///< and -json_integer_max

struct JsonMember;
/// JsonValue is a value of canonical JSON.
struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;  ///< parsed: in canonical order; to be written: in any
  std::variant<bool, std::int64_t, std::string, Array, Object> value;

  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value); }
  const bool* boolean() const { return std::get_if<bool>(&value); }
  const std::string* text() const { return std::get_if<std::string>(&value); }
  const Array* array() const { return std::get_if<Array>(&value); }
  const Object* object() const { return std::get_if<Object>(&value); }
};
struct JsonMember {
  std::string name;
  JsonValue value;
};

struct JsonLimits {
  std::size_t bytes_max;
  std::size_t depth_max;   ///< of nested objects and arrays
  std::size_t values_max;  ///< in all, members' names not counted
};

/// parse_canonical_json reads one value and nothing else. What it accepts is exactly what canonical_json
/// writes. Errors, detail = offset: truncated, malformed, trailing_bytes; not_canonical (blanks, members out
/// of order, an escape that is not needed, a number written otherwise); already_exists (a member twice);
/// limit_exceeded (size, depth, values, an integer beyond 2^53 - 1); unsupported (null, fraction, exponent).
/// O(size); memory at most 80 bytes for each value beside the text.
Result<JsonValue> parse_canonical_json(ByteView text, const JsonLimits& limits);

/// canonical_json writes a value: members sorted by their names' UTF-16 form, the shortest escapes. Needs
/// UTF-8 strings, integers within 2^53 - 1 and no member twice (VG_CHECKed).
std::string canonical_json(const JsonValue& value);

/// JsonReader takes an object apart member by member, for formats that allow no member they do not know:
///
///   JsonReader reader{value};
///   const auto epoch = reader.integer("epoch", 0, json_integer_max);
///   ...
///   VG_TRY_VOID(reader.finish());
///
/// The first thing that is wrong is kept, and reads after it give empty values: look once, at the end.
class JsonReader {
 public:
  /// `value` must outlive the reader. Anything but an object is malformed.
  explicit JsonReader(const JsonValue& value);

  std::int64_t integer(std::string_view name, std::int64_t low, std::int64_t high);
  bool boolean(std::string_view name);
  const std::string& text(std::string_view name, std::size_t bytes_max);
  const JsonValue::Array& array(std::string_view name, std::size_t size_max);
  const JsonValue& member(std::string_view name);
  /// optional gives a member that may be missing: then, or if something was wrong before, nullptr.
  const JsonValue* optional(std::string_view name);
  /// bytes reads base64url of exactly out.size() bytes.
  void bytes(std::string_view name, ByteSpan out);
  /// require makes `what` the error if `holds` does not.
  void require(bool holds, Errc what = Errc::malformed);
  bool failed() const { return failed_; }

  /// finish: limit_exceeded for a number, text or array beyond its bounds, malformed for a missing member or
  /// one of another type, unsupported for a member that nobody asked for.
  Result<void> finish() const;

 private:
  const JsonValue* find(std::string_view name);
  void refuse(Errc code);

  const JsonValue::Object* object_;
  std::size_t taken_ = 0;
  bool failed_ = false;
  Error error_{Errc::malformed};
};

}  // namespace village::mix
