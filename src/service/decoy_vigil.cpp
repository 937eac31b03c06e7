#include "service/decoy_vigil.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

namespace village::service {

/// stay_awake makes the loop poll: with a handler queued, it looks for events and does not wait for them.
template <class Condition>
boost::asio::awaitable<void> DecoyVigil::stay_awake(Instant until, Condition condition) {
  static const bool alone = std::thread::hardware_concurrency() < 2;
  const auto begin = core_.clock().now();
  if (alone || !allowance_.has(begin)) co_return;
  auto now = begin;
  for (; condition() && now < until; now = core_.clock().now())
    co_await boost::asio::post(core_.io(), boost::asio::use_awaitable);
  allowance_.spend(begin, now);
}

boost::asio::awaitable<void> DecoyVigil::keep(const bool& waiting) {
  return stay_awake(core_.clock().now() + limits::decoy_vigil_max, [&waiting] { return waiting; });
}

boost::asio::awaitable<void> DecoyVigil::hold(Instant asked) {
  const auto took = core_.clock().now() - asked;
  return stay_awake(asked + pace_.after(took), [] { return true; });
}

}  // namespace village::service
