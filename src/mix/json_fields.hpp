#pragma once
// Fields that several formats of the directory share.
#include <algorithm>
#include <string>
#include <vector>

#include "village/mix/canonical_json.hpp"
#include "village/wire/base64.hpp"

namespace village::mix {

inline JsonValue json_bytes(ByteView bytes) { return {wire::base64url(bytes)}; }
inline JsonValue json_integer(std::uint64_t number) { return {static_cast<std::int64_t>(number)}; }

/// read_unsigned reads an integer of [0, high].
inline std::uint64_t read_unsigned(JsonReader& reader, std::string_view name,
                                   std::uint64_t high = static_cast<std::uint64_t>(json_integer_max)) {
  return static_cast<std::uint64_t>(reader.integer(name, 0, static_cast<std::int64_t>(high)));
}

/// is_increasing: sorted by `key`, nothing twice.
template <class Range, class Key>
bool is_increasing(const Range& range, Key key) {
  return std::adjacent_find(range.begin(), range.end(), [&key](const auto& a, const auto& b) {
           return !(key(a) < key(b));
         }) == range.end();
}

/// signing_bytes is what a signature covers: the domain and SHA-256 of the canonical bytes.
Bytes signing_bytes(std::string_view domain, std::string_view canonical);
Bytes signing_bytes(std::string_view domain, const ByteArray<32>& digest);

}  // namespace village::mix
