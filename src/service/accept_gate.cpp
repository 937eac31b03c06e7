#include "service/accept_gate.hpp"

#include <boost/asio/post.hpp>
#include <map>

#include "service/accept_turns.hpp"
#include "service/decoy_metrics.hpp"
#include "village/net/event.hpp"

namespace village::service {
namespace {

struct Waiter {
  explicit Waiter(net::Core& core) : turn{core} {}
  net::Event turn;
  bool granted = false;
};

}  // namespace

struct AcceptGate::State {
  explicit State(net::Core& on) : core{on} {}
  net::Core& core;
  AcceptTurns turns;
  std::map<AcceptTurns::Id, Waiter*> waiters;
  bool in_round = false;  ///< somebody passed in this round of the loop
};

AcceptGate::AcceptGate(net::Core& core) : state_{std::make_shared<State>(core)} {}
AcceptGate::~AcceptGate() = default;

net::Task<void> AcceptGate::pass(net::Ip from) {
  const auto state = state_;
  if (!state->in_round) {
    state->in_round = true;
    go_round(state);
    co_return ok();
  }
  decoy_metrics::turns_waited.add();
  Waiter waiter{state->core};
  const auto id = state->turns.wait(from);
  state->waiters.emplace(id, &waiter);
  auto woken = Result<void>{ok()};
  while (!waiter.granted && woken) woken = co_await waiter.turn.wait();
  state->waiters.erase(id);
  state->turns.leave(id);
  co_return woken;
}

/// go_round gives the next turn when everything that is ready now has had its own.
void AcceptGate::go_round(const std::shared_ptr<State>& state) {
  boost::asio::post(state->core.io(), [state] {
    const auto next = state->turns.next();
    state->in_round = next.has_value();
    if (!next) return;
    if (const auto waiter = state->waiters.find(*next); waiter != state->waiters.end()) {
      waiter->second->granted = true;
      waiter->second->turn.notify();
    }
    go_round(state);
  });
}

}  // namespace village::service
