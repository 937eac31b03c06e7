#pragma once
// The plain payload: `16 zeros | message | 01 | zeros`. Source: nymtech/sphinx, payload.
#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/sphinx/limits.hpp"

namespace village::sphinx {

/// message_bytes_max is how much a payload of `payload_bytes` carries: 1,683 in N-2048, 2,048 in N-REG.
constexpr std::size_t message_bytes_max(std::size_t payload_bytes) {
  return payload_bytes - limits::payload_overhead_bytes;
}

/// write_payload fills `payload` with a message; they must not overlap. Errors: bad_argument (payload smaller
/// than limits::payload_bytes_min), limit_exceeded (the message does not fit).
Result<void> write_payload(ByteView message, ByteSpan payload);

/// open_payload finds the message in a payload without layers; the view points into it. Errors: malformed
/// (drop reason `payload`): too short, a non-zero among the first 16 bytes (compared in constant time), or
/// anything but `01` and zeros behind the message. Stricter than the crate, which takes any bytes behind the
/// last `01`.
Result<ByteView> open_payload(ByteView payload);

}  // namespace village::sphinx
