#include "village/mix/route_table.hpp"

#include <bit>
#include <cstring>

#include "village/base/check.hpp"
#include "village/mix/limits.hpp"

namespace village::mix {

RouteTable::RouteTable(const std::vector<Route>& routes, RandomSource& random) {
  VG_CHECK(routes.size() <= limits::neighbours_max);
  for (auto& word : key_) word = random.u64();
  places_.resize(std::bit_ceil(2 * routes.size() + 2), Route{{}, none});
  for (const auto& route : routes) {
    VG_CHECK(route.neighbour < limits::neighbours_max);
    auto place = start(route.address);
    while (places_[place].neighbour != none && places_[place].address != route.address)
      place = (place + 1) & (places_.size() - 1);
    if (places_[place].neighbour == none) ++size_;
    places_[place] = route;
  }
}

std::size_t RouteTable::start(const sphinx::NodeAddress& address) const {
  std::uint64_t hash = key_[0];
  for (std::size_t i = 0; i < address.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, address.data() + i, sizeof word);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32 ^ key_[1];
  }
  return static_cast<std::size_t>(hash) & (places_.size() - 1);
}

std::optional<NeighbourIndex> RouteTable::find(const sphinx::NodeAddress& address) const {
  if (places_.empty()) return std::nullopt;
  for (auto place = start(address); places_[place].neighbour != none;
       place = (place + 1) & (places_.size() - 1)) {
    if (places_[place].address == address) return places_[place].neighbour;
  }
  return std::nullopt;
}

}  // namespace village::mix
