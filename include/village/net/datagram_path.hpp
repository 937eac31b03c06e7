#pragma once
// DatagramPath: datagrams between here and any targets, through whatever a Dialer stands for.
#include <functional>
#include <memory>

#include "village/net/stream.hpp"

namespace village::net {

class DatagramPath {
 public:
  /// Receive is called on the path's core with each datagram that comes back; `data` dies with the call. It
  /// must not destroy the path.
  using Receive = std::function<void(const Target& source, ByteView data)>;

  virtual ~DatagramPath() = default;
  /// send never waits. No order and no delivery is promised. Names are resolved where the datagrams leave.
  /// Errors: busy (too much waits; dropped), limit_exceeded (longer than the path carries), closed.
  virtual Result<void> send(const Target& target, ByteView data) = 0;
  /// wait_end waits until the path is of no more use, and says why.
  virtual Task<void> wait_end() = 0;
};

using DatagramPathPtr = std::unique_ptr<DatagramPath>;

}  // namespace village::net
