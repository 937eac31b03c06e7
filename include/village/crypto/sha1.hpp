#pragma once
// SHA-1, for the one protocol that still asks for it. Collisions are cheap: nothing may rest on it.
#include <initializer_list>

#include "village/base/bytes.hpp"

namespace village::crypto {

/// sha1 digests the concatenation of `parts`, as Sec-WebSocket-Accept needs it (RFC 6455 4.2.2). No other
/// use. Source: FIPS 180-4.
ByteArray<20> sha1(std::initializer_list<ByteView> parts);

}  // namespace village::crypto
