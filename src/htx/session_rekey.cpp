// The session's part of a re-handshake: when it starts, and which frame changes which key.
#include <algorithm>

#include "htx/session_state.hpp"

namespace village::htx {

Result<void> Session::State::start_rekey() {
  if (ended) return fail(Errc::closed);
  if (!rekey_agreed()) return fail(Errc::unsupported);
  if (!rekey.may_start(now) || sender.key_change_waits()) return fail(Errc::busy);
  rekey_heard = false;
  rekey_retry = now;
  sender.rekey(rekey.start(random, now));
  return ok();
}

Result<void> Session::State::on_rekey(const Incoming& frame) {
  const auto violation = [](Errc code, Code why) { return fail(code, static_cast<std::uint16_t>(why)); };
  // A peer that starts one before it has let go of the last would have us forget which key is next.
  if (frame.header.stream != 0 || sender.key_change_waits()) {
    return violation(Errc::malformed, Code::malformed_frame);
  }
  const auto before = rekey.count();
  auto outcome = rekey.receive(frame.plaintext, ended, random, now);
  if (!outcome) {
    const auto code = outcome.error().code;
    if (code == Errc::exhausted) return violation(Errc::protocol, Code::policy_rejected);
    if (code == Errc::malformed) return violation(code, Code::malformed_frame);
    return violation(Errc::auth_failed, Code::auth_failed);
  }
  if (outcome->change) receiver.rekey(*outcome->change);
  if (outcome->mail) {
    rekey_heard = false;
    rekey_retry = now;
  }
  if (outcome->mail && !ended) sender.rekey(std::move(*outcome->mail));
  statistics.rekeys += rekey.count() - before;
  return ok();
}

Instant Session::State::rekey_due() const {
  if (rekey.running()) return std::max(rekey.expires(), rekey_retry);
  if (settings.rekey_interval <= Duration{0} || !rekey_agreed()) return Instant::max();
  // The server waits a little longer, so that both do not start at once.
  const auto patience = role == Role::client ? Duration{0} : settings.rekey_interval / 4;
  return std::max(rekey.last() + settings.rekey_interval + patience, rekey_retry);
}

void Session::State::on_rekey_due() {
  if (rekey.running()) {
    // What we said may lie minutes behind our own data on a slow link: the echo of a PING asked for later
    // tells that it has arrived.
    if (!rekey_heard && now - rekey.started() < limits::rekey_slow_max) {
      ping();
      rekey_retry = now + limits::rekey_time_max / 4;
      return;
    }
    // It said that it can: whoever holds the session's keys alone cannot go on by keeping silent.
    close(Code::policy_rejected, "rekey timeout");
    peer_closed = true;
    return;
  }
  if (!start_rekey()) rekey_retry = now + limits::rekey_refill;
}

}  // namespace village::htx
