#pragma once
// Document: JSON with comments as it stands in the file: every value with its place, so that errors can name
// it and an edit can be made without touching the rest.
//
// Beyond JSON: // and /* */ comments, a comma behind the last entry, a byte order mark. Refused: duplicate
// keys, more than config_depth_max levels, bytes that are not UTF-8.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/json.hpp"
#include "control/problems.hpp"

namespace village::control {

/// Mark is the place of one value; children stand in the order of the file, as the values do.
struct Mark {
  std::uint32_t key = 0;    ///< offset of the key's opening quote; of the value where there is no key
  std::uint32_t begin = 0;  ///< first byte of the value
  std::uint32_t end = 0;    ///< one past its last byte
  std::vector<Mark> children;
};

struct Document {
  Json root;  ///< `discarded` where a value was broken (and reported)
  Mark marks;

  /// find gives the mark of a JSON pointer; nullptr if there is no such value.
  const Mark* find(std::string_view pointer) const;
  /// value gives the value of a JSON pointer; nullptr if there is none.
  const Json* value(std::string_view pointer) const;
  /// closest gives the mark of the pointer or of the innermost value on the way to it.
  const Mark& closest(std::string_view pointer) const;
};

/// parse_document reads a text. Mistakes that leave the structure clear (a missing comma, a bad number) are
/// reported and reading goes on; others end it: then nothing is returned. O(size).
std::optional<Document> parse_document(std::string_view text, Problems& problems);

/// pointer_token escapes one key for a JSON pointer (RFC 6901).
std::string pointer_token(std::string_view key);

}  // namespace village::control
