#pragma once
// What a plain web server reads of a request for one of its own files.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "village/base/error.hpp"

namespace village::proxy {

struct SiteRequest {
  std::string_view method;
  std::string path;  ///< decoded, without query: "/a b.html"; never with an empty, "." or ".." segment
  bool keep_alive = true;
  bool has_body = false;           ///< such a request is answered, and then the connection is over
  std::string_view if_none_match;  ///< empty = absent; here and below
  std::string_view if_modified_since;
  std::string_view range;
};

/// parse_site_request reads a complete head (HttpHeadCollector::text(), which must outlive it); origin form
/// and absolute form. Errors: malformed (400), version (505), limit_exceeded (431).
Result<SiteRequest> parse_site_request(std::string_view head);

/// parse_site_target reads a request's target alone (`:path` of HTTP/2): decoded, without query. Errors:
/// malformed.
Result<std::string> parse_site_target(std::string_view target);

/// ByteRange is the part of `size` bytes that a Range field asks for, if it is a single range.
struct ByteRange {
  std::uint64_t first = 0, last = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};
/// parse_byte_range: nothing = send the whole (no range, several, or not understood). Errors: limit_exceeded
/// (416: it begins behind the end). RFC 9110 14.1.2
Result<std::optional<ByteRange>> parse_byte_range(std::string_view text, std::uint64_t size);

}  // namespace village::proxy
