#pragma once
// DecoyVigil: a core that stays awake while a web server on the same machine answers.
//
// A thread that sleeps in epoll_wait takes some 10 to 40 us to wake, a time that no web server spends which
// meets its strangers itself. So for the moment in which an answer usually comes, the event loop of the core
// polls instead of sleeping, and serves others meanwhile; then it holds the answer for what is missing of the
// usual time (DecoyPace). What that may cost is bounded: a moment each, and a share of the core's time in
// all. A machine with one CPU, which the web server needs, keeps no vigil.
#include <algorithm>
#include <boost/asio/awaitable.hpp>

#include "service/decoy_pace.hpp"
#include "village/net/core.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {

/// VigilAllowance is how much of its time a core may stay awake: a share, with a burst (generic cell rate
/// algorithm: its whole state is a moment).
class VigilAllowance {
 public:
  /// has tells whether a whole vigil is left.
  bool has(Instant now) const {
    return full_at_ - now <=
           limits::decoy_vigil_share * (limits::decoy_vigil_burst - limits::decoy_vigil_max);
  }
  /// spend charges a vigil, but for what others of the same time have paid.
  void spend(Instant begin, Instant end) {
    full_at_ = std::max(full_at_, end) + limits::decoy_vigil_share * (end - std::max(begin, paid_until_));
    paid_until_ = end;
  }

 private:
  Instant full_at_{};  ///< when the whole burst is there again
  Instant paid_until_{};
};

/// DecoyVigil is a core's; all its splices share it.
class DecoyVigil {
 public:
  explicit DecoyVigil(net::Core& core) : core_{core} {}
  /// keep returns when `waiting` is false, limits::decoy_vigil_max is over, or at once if the core has been
  /// awake enough. `waiting` changes only on this core, and outlives the wait.
  boost::asio::awaitable<void> keep(const bool& waiting);
  /// hold returns when an answer that is here may leave to what was asked at `asked`.
  boost::asio::awaitable<void> hold(Instant asked);

 private:
  template <class Condition>
  boost::asio::awaitable<void> stay_awake(Instant until, Condition condition);

  net::Core& core_;
  DecoyPace pace_;
  VigilAllowance allowance_;
};

}  // namespace village::service
