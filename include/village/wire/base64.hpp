#pragma once
// Base64: url alphabet without padding, standard alphabet with padding. Source: RFC 4648 sections 4 and 5.
#include <string>
#include <string_view>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"

namespace village::wire {

std::string base64url(ByteView bytes);
std::string base64(ByteView bytes);

/// from_base64url and from_base64 are strict: no blanks, no line ends, no foreign character, exactly the
/// padding of the form (none, or to a multiple of four), unused trailing bits zero. Not constant time.
/// Errors: malformed (detail = offset), not_canonical (trailing bits), limit_exceeded (more than bytes_max
/// decoded bytes).
Result<Bytes> from_base64url(std::string_view text, std::size_t bytes_max);
Result<Bytes> from_base64(std::string_view text, std::size_t bytes_max);

/// The same into memory of the caller (a Secret's, say), which must be filled exactly. Errors: also malformed
/// if the decoded size is not out.size().
Result<void> from_base64url(std::string_view text, ByteSpan out);

}  // namespace village::wire
