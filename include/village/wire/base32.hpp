#pragma once
// Base32 in lower case without padding. Source: RFC 4648 section 6.
#include <string>
#include <string_view>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"

namespace village::wire {

std::string base32(ByteView bytes);

/// from_base32 accepts lower case only, no padding, unused trailing bits zero.
/// Errors: malformed (detail = offset), not_canonical (trailing bits), limit_exceeded (more than bytes_max
/// decoded bytes).
Result<Bytes> from_base32(std::string_view text, std::size_t bytes_max);

}  // namespace village::wire
