#pragma once
// Dialer: opens a stream to a target. Direct TCP, HTX and every later transport implement it, so any inbound
// can leave by any of them, and they chain.
#include "village/base/time.hpp"
#include "village/net/datagram_path.hpp"
#include "village/net/stream.hpp"

namespace village::net {

class Dialer {
 public:
  virtual ~Dialer() = default;
  /// dial opens a stream to `target` before `deadline`. Names are resolved where the stream leaves (a tunnel
  /// sends the name to its exit). Errors: refused, net_unreachable, host_unreachable, name_not_found,
  /// name_failed, denied, timed_out, busy, cancelled, auth_failed.
  virtual Task<StreamPtr> dial(Target target, Instant deadline) = 0;
  /// associate opens a way for datagrams to any target. Errors: as dial; unsupported where there is none.
  virtual Task<DatagramPathPtr> associate(DatagramPath::Receive receive, Instant deadline);
};
inline Task<DatagramPathPtr> Dialer::associate(DatagramPath::Receive, Instant) {
  co_return fail(Errc::unsupported);
}

}  // namespace village::net
