#pragma once
// Why a node dropped a packet. Source: reference mixnet 10.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace village::mix {

enum class Drop : std::uint8_t {
  length,     ///< not a packet of the link's profile
  low_order,  ///< the shared secret is zero
  mac,        ///< the header is not for this key, or damaged
  replay,     ///< seen before under this key; or the filter of this key is full
  flag,       ///< a slot or frame of unknown kind
  version,    ///< a slot or frame of a version that this side does not speak
  delay,      ///< asks to be held for more than three epochs
  late,       ///< waited too long here for its time to mean anything
  rate,       ///< above the neighbour's rate or the node's
  ring,       ///< no room: ingress, held packets, or the link of the next hop
  route,      ///< no key for its rotation, or no such next hop
  payload,    ///< this is the last hop and the payload is damaged
};
inline constexpr std::size_t drop_count = 12;

/// name is the metric's label: "low_order".
std::string_view name(Drop reason);

/// DropCounts counts by reason. One thread.
struct DropCounts {
  std::array<std::uint64_t, drop_count> by_reason{};
  void add(Drop reason, std::uint64_t count = 1) { by_reason[static_cast<std::size_t>(reason)] += count; }
  std::uint64_t operator[](Drop reason) const { return by_reason[static_cast<std::size_t>(reason)]; }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto count : by_reason) sum += count;
    return sum;
  }
};

}  // namespace village::mix
