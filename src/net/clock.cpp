#include "village/net/clock.hpp"

namespace village::net {

Instant SystemClock::now() const { return Instant{std::chrono::steady_clock::now().time_since_epoch()}; }
WallTime SystemClock::wall() const { return WallTime{std::chrono::system_clock::now().time_since_epoch()}; }

}  // namespace village::net
