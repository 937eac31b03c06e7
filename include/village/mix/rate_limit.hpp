#pragma once
// Admission of packets before anything is computed for them.
#include <cstdint>

#include "village/base/time.hpp"
#include "village/mix/line_vector.hpp"

namespace village::mix {

using NeighbourIndex =
    std::uint32_t;  ///< a link of this node, numbered by the service; < limits::neighbours_max

/// TokenBucket is a rate with a burst (generic cell rate algorithm: its whole state is a moment).
class TokenBucket {
 public:
  TokenBucket() = default;  ///< lets everything through
  /// `per_second` 0 lets everything through; `burst` at least 1.
  TokenBucket(std::uint64_t per_second, std::uint64_t burst);
  /// take charges one packet; false if there is no token.
  bool take(Instant now);
  /// has_token tells whether take would succeed.
  bool has_token(Instant now) const;

 private:
  Duration interval_{0};  ///< of one token; 0 = no limit
  Duration depth_{0};     ///< interval * (burst - 1)
  Instant full_at_{};     ///< when the bucket will be full again
};

/// RateRules are the limits of one worker. 0 = none. Times are the service's to divide among workers.
struct RateRules {
  std::uint64_t neighbour_pps = 20'000;
  std::uint64_t neighbour_burst = 1'000;
  std::uint64_t node_pps = 0;  ///< of all neighbours: what the scalar multiplications and the line may cost
  std::uint64_t node_burst = 4'000;
};

/// Admission decides which frames are worth a scalar multiplication. O(1), no allocation after its
/// constructor.
class Admission {
 public:
  Admission(const RateRules& rules, std::size_t neighbours);
  /// admit charges a frame of `neighbour`. A neighbour above its rate costs the others nothing.
  bool admit(NeighbourIndex neighbour, Instant now);
  /// reset forgets what a neighbour did: its number is another's now. `pps` 0 = the rules' rate; the
  /// directory's capacity else.
  void reset(NeighbourIndex neighbour, std::uint64_t pps = 0);

 private:
  RateRules rules_;
  LineVector<TokenBucket> neighbours_;
  TokenBucket node_;
};

}  // namespace village::mix
