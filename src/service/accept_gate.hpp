#pragma once
// AcceptGate: lets the steps of strangers' TLS handshakes happen one in each round of the core's loop, in the
// order of AcceptTurns. Between two of them whatever else is ready on the core happens: a flood of handshakes
// costs those that run a step's time (0.4 ms) a round, and a network that is no part of it waits for one
// handshake of each network that is. Who comes alone passes at once.
#include <memory>

#include "village/net/core.hpp"
#include "village/net/stream.hpp"
#include "village/service/connection_places.hpp"

namespace village::service {

class AcceptGate {
 public:
  explicit AcceptGate(net::Core& core);
  ~AcceptGate();
  AcceptGate(const AcceptGate&) = delete;
  AcceptGate& operator=(const AcceptGate&) = delete;

  /// pass returns when it is the turn of a step from there. Errors: cancelled.
  net::Task<void> pass(net::Ip from);

 private:
  struct State;
  static void go_round(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace village::service
