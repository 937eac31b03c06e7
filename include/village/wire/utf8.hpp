#pragma once
// UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing above U+10FFFF.
#include "village/base/bytes.hpp"

namespace village::wire {

/// is_utf8 checks a whole text. O(size).
bool is_utf8(ByteView text);

}  // namespace village::wire
