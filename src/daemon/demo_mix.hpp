#pragma once
// The mixnet's part of the demonstration: messages of all sizes both ways, replies by reply block, a mix
// killed on the way, a change of epoch; everything compared by digest.
#include "daemon/demo_result.hpp"

namespace village::daemon {

/// demo_mix runs it with so many messages (at least 10).
DemoResult demo_mix(std::size_t messages);

}  // namespace village::daemon
