#include "service/accept_turns.hpp"

#include <algorithm>
#include <iterator>

namespace village::service {

AcceptTurns::Id AcceptTurns::wait(const net::Ip& from) {
  const Networks networks{network_of(from, wide_network), network_of(from, near_network)};
  auto wide = by_network_.find(networks.wide);
  if (wide == by_network_.end()) {
    turns_.push_back({networks.wide, {}, {}});
    wide = by_network_.emplace(networks.wide, std::prev(turns_.end())).first;
  }
  auto& neighbours = *wide->second;
  auto near = neighbours.by_network.find(networks.near);
  if (near == neighbours.by_network.end()) {
    neighbours.turns.push_back({networks.near, {}});
    near = neighbours.by_network.emplace(networks.near, std::prev(neighbours.turns.end())).first;
  }
  near->second->waiting.push_back(++last_);
  places_.emplace(last_, networks);
  return last_;
}

void AcceptTurns::leave(Id id) {
  const auto place = places_.find(id);
  if (place == places_.end()) return;
  const auto wide = by_network_.at(place->second.wide);
  const auto near = wide->by_network.at(place->second.near);
  near->waiting.erase(std::find(near->waiting.begin(), near->waiting.end(), id));
  places_.erase(place);
  drop(wide, near);
}

std::optional<AcceptTurns::Id> AcceptTurns::next() {
  if (turns_.empty()) return std::nullopt;
  const auto wide = turns_.begin();
  const auto near = wide->turns.begin();
  const auto id = near->waiting.front();
  near->waiting.pop_front();
  places_.erase(id);
  wide->turns.splice(wide->turns.end(), wide->turns, near);
  turns_.splice(turns_.end(), turns_, wide);
  drop(wide, near);
  return id;
}

/// drop forgets networks of which nobody waits any more.
void AcceptTurns::drop(std::list<Wide>::iterator wide, std::list<Near>::iterator near) {
  if (!near->waiting.empty()) return;
  wide->by_network.erase(near->network);
  wide->turns.erase(near);
  if (!wide->turns.empty()) return;
  by_network_.erase(wide->network);
  turns_.erase(wide);
}

}  // namespace village::service
