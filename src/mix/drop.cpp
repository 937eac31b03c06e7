#include "village/mix/drop.hpp"

namespace village::mix {

std::string_view name(Drop reason) {
  static constexpr std::array<std::string_view, drop_count> names{"length", "low_order", "mac",   "replay",
                                                                  "flag",   "version",   "delay", "late",
                                                                  "rate",   "ring",      "route", "payload"};
  return names[static_cast<std::size_t>(reason)];
}

}  // namespace village::mix
