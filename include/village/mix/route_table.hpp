#pragma once
// Where next hops are: from the address in a packet to the link that leads there.
#include <optional>
#include <vector>

#include "village/base/random.hpp"
#include "village/mix/rate_limit.hpp"
#include "village/sphinx/types.hpp"

namespace village::mix {

/// RouteTable is made once for a directory document and then only read; workers share it. Open addressing,
/// at most half full: about 10 ns a look-up.
class RouteTable {
 public:
  struct Route {
    sphinx::NodeAddress address;
    NeighbourIndex neighbour;
  };
  RouteTable() = default;
  /// Of two routes with one address the last counts. `random` keys the hash.
  RouteTable(const std::vector<Route>& routes, RandomSource& random);
  std::optional<NeighbourIndex> find(const sphinx::NodeAddress& address) const;
  std::size_t size() const { return size_; }

 private:
  static constexpr NeighbourIndex none = ~NeighbourIndex{0};
  std::size_t start(const sphinx::NodeAddress& address) const;
  std::uint64_t key_[2]{};
  std::vector<Route> places_;  ///< a power of two; neighbour none = free
  std::size_t size_ = 0;
};

}  // namespace village::mix
