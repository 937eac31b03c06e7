// CborValue: deterministic CBOR as owned values.
#include <algorithm>

#include "village/wire/cbor.hpp"
#include "village/wire/utf8.hpp"

namespace village::wire {
namespace {

/// copy builds the next value. The reader is validated: recursion is bounded by its depth, sizes by its
/// length.
Result<CborValue> copy(CborReader& reader);

Result<CborValue> copy_array(CborReader& reader) {
  VG_TRY(count, reader.array());
  CborValue::Array items;
  items.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    VG_TRY(item, copy(reader));
    items.push_back(std::move(item));
  }
  return CborValue::array(std::move(items));
}

Result<CborValue> copy_map(CborReader& reader) {
  VG_TRY(count, reader.map());
  CborValue::Map entries;
  entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    VG_TRY(key, copy(reader));
    VG_TRY(value, copy(reader));
    entries.push_back(CborEntry{std::move(key), std::move(value)});
  }
  return CborValue::map(std::move(entries));
}

Result<CborValue> copy(CborReader& reader) {
  VG_TRY(kind, reader.kind());
  switch (kind) {
    case CborKind::uint: {
      VG_TRY(value, reader.uint());
      return CborValue::uint(value);
    }
    case CborKind::nint: {
      VG_TRY(value, reader.nint());
      return CborValue::nint(value);
    }
    case CborKind::bytes: {
      VG_TRY(value, reader.bytes());
      return CborValue::bytes(value);
    }
    case CborKind::text: {
      VG_TRY(value, reader.text());
      return CborValue::text(value);
    }
    case CborKind::boolean: {
      VG_TRY(value, reader.boolean());
      return CborValue::boolean(value);
    }
    case CborKind::array:
      return copy_array(reader);
    case CborKind::map:
      return copy_map(reader);
    case CborKind::null:
      break;
  }
  VG_TRY_VOID(reader.null());
  return CborValue{};
}

/// Encoder writes one value into its own buffer; maps are sorted by their encoded keys.
class Encoder {
 public:
  explicit Encoder(const CborLimits& bounds) : bounds_{bounds} {}

  Result<void> write(const CborValue& value, Writer& out, std::size_t depth) {
    CborWriter cbor{out};
    switch (value.kind()) {
      case CborKind::uint:
        cbor.uint(*value.as_uint());
        break;
      case CborKind::nint:
        cbor.nint(value.as_nint()->n);
        break;
      case CborKind::bytes:
        cbor.bytes(*value.as_bytes());
        break;
      case CborKind::boolean:
        cbor.boolean(*value.as_boolean());
        break;
      case CborKind::null:
        cbor.null();
        break;
      case CborKind::text:
        if (!is_utf8(as_bytes(*value.as_text()))) return fail(Errc::bad_argument, out.position());
        cbor.text(*value.as_text());
        break;
      case CborKind::array:
      case CborKind::map:
        if (depth == bounds_.depth_max) return fail(Errc::limit_exceeded, out.position());
        return value.kind() == CborKind::array ? write_array(*value.as_array(), out, depth + 1)
                                               : write_map(*value.as_map(), out, depth + 1);
    }
    return out.overflowed() ? Result<void>{fail(Errc::limit_exceeded, bounds_.bytes_max)} : ok();
  }

 private:
  Result<void> write_array(const CborValue::Array& items, Writer& out, std::size_t depth) {
    CborWriter{out}.array(items.size());
    for (const auto& item : items) VG_TRY_VOID(write(item, out, depth));
    return ok();
  }

  Result<void> write_map(const CborValue::Map& entries, Writer& out, std::size_t depth) {
    struct Keyed {
      Bytes key;
      const CborValue* value;
    };
    std::vector<Keyed> sorted;
    sorted.reserve(entries.size());
    for (const auto& entry : entries) {
      Bytes key;
      Writer key_out{key, bounds_.bytes_max};
      VG_TRY_VOID(write(entry.key, key_out, depth));
      sorted.push_back({std::move(key), &entry.value});
    }
    std::sort(sorted.begin(), sorted.end(), [](const Keyed& a, const Keyed& b) {
      return std::lexicographical_compare(a.key.begin(), a.key.end(), b.key.begin(), b.key.end(),
                                          std::less<>{});
    });
    const auto twin = std::adjacent_find(sorted.begin(), sorted.end(),
                                         [](const Keyed& a, const Keyed& b) { return a.key == b.key; });
    if (twin != sorted.end()) return fail(Errc::bad_argument, out.position());
    CborWriter{out}.map(sorted.size());
    for (const auto& [key, value] : sorted) {
      out.bytes(key);
      VG_TRY_VOID(write(*value, out, depth));
    }
    return ok();
  }

  const CborLimits& bounds_;
};

}  // namespace

// Out of line because CborEntry, which Map holds, is complete only behind the class.
CborValue::CborValue() noexcept = default;
CborValue::CborValue(const CborValue& other) = default;
CborValue::CborValue(CborValue&& other) noexcept = default;
CborValue& CborValue::operator=(const CborValue& other) = default;
CborValue& CborValue::operator=(CborValue&& other) noexcept = default;
CborValue::~CborValue() = default;
CborValue::CborValue(Value value) : value_{std::move(value)} {}

CborValue CborValue::boolean(bool value) { return CborValue{Value{value}}; }
CborValue CborValue::uint(std::uint64_t value) { return CborValue{Value{value}}; }
CborValue CborValue::nint(std::uint64_t n) { return CborValue{Value{Nint{n}}}; }
CborValue CborValue::bytes(ByteView value) { return CborValue{Value{to_bytes(value)}}; }
CborValue CborValue::text(std::string_view value) { return CborValue{Value{std::string{value}}}; }
CborValue CborValue::integer(std::int64_t value) {
  return value >= 0 ? uint(static_cast<std::uint64_t>(value)) : nint(static_cast<std::uint64_t>(-1 - value));
}
CborValue CborValue::array(Array value) { return CborValue{Value{std::move(value)}}; }
CborValue CborValue::map(Map value) { return CborValue{Value{std::move(value)}}; }

CborKind CborValue::kind() const {
  constexpr CborKind kinds[] = {CborKind::null,  CborKind::boolean, CborKind::uint,  CborKind::nint,
                                CborKind::bytes, CborKind::text,    CborKind::array, CborKind::map};
  static_assert(std::size(kinds) == std::variant_size_v<Value>);
  return kinds[value_.index()];
}

const CborValue* CborValue::find(std::string_view key) const {
  const Map* entries = as_map();
  if (entries == nullptr) return nullptr;
  for (const auto& entry : *entries) {
    const auto* text = entry.key.as_text();
    if (text != nullptr && *text == key) return &entry.value;
  }
  return nullptr;
}

bool operator==(const CborValue& a, const CborValue& b) { return a.value_ == b.value_; }

Result<CborValue> decode_cbor(ByteView in, const CborLimits& bounds) {
  VG_TRY(reader, CborReader::open(in, bounds));
  return copy(reader);
}

Result<Bytes> encode_cbor(const CborValue& value, const CborLimits& bounds) {
  Bytes out;
  Writer writer{out, bounds.bytes_max};
  VG_TRY_VOID(Encoder{bounds}.write(value, writer, 0));
  VG_TRY_VOID(writer.finish());
  return out;
}

}  // namespace village::wire
