#pragma once
// AcceptTurns: in which order strangers' TLS handshakes are computed when more are ready than a core can do
// at once. Networks take turns, however many connections each has: first /16 (IPv6: /32) by /16, within one
// /24 by /24 (/56), within that by arrival. A crowd from one provider delays the others by one handshake.
//
//   turn ->  127.1/16 -> 127.1.7/24 -> a b c ...
//                        127.1.9/24 -> d
//            10.2/16  -> 10.2.3/24  -> e                order: a e d b c
//
// No clock, no socket. Bounded by its owner: one entry for each handshake under way.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>

#include "village/service/connection_places.hpp"

namespace village::service {

class AcceptTurns {
 public:
  using Id = std::uint64_t;

  /// wait puts a handshake of `from` behind its neighbours. O(log networks).
  Id wait(const net::Ip& from);
  /// leave takes one out that waits no longer; nothing if its turn has come. O(neighbours).
  void leave(Id id);
  /// next takes the one out whose turn it is. O(log networks).
  std::optional<Id> next();
  std::size_t waiting() const { return places_.size(); }

 private:
  struct Near {
    std::uint64_t network;
    std::deque<Id> waiting;  ///< never empty
  };
  struct Wide {
    std::uint64_t network;
    std::list<Near> turns;  ///< never empty; whose turn it is stands first
    std::map<std::uint64_t, std::list<Near>::iterator> by_network;
  };
  struct Networks {
    std::uint64_t wide, near;
  };
  void drop(std::list<Wide>::iterator wide, std::list<Near>::iterator near);

  std::list<Wide> turns_;
  std::map<std::uint64_t, std::list<Wide>::iterator> by_network_;
  std::map<Id, Networks> places_;
  Id last_ = 0;
};

}  // namespace village::service
