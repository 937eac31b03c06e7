#pragma once
// DecoyOrigin: the connection to the web server behind us. One far away is dialled before anybody needs it.
// One on this machine answers a dial at once, and meanwhile would be woken for it: that is left to the moment
// at which it will be wanted.
#include <memory>
#include <optional>

#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tcp.hpp"

namespace village::service {

/// DecoyOrigin dials once. end() must have been awaited before it dies.
class DecoyOrigin {
 public:
  /// Dials now if the target is far away. Without a target nothing is dialled.
  DecoyOrigin(net::Core& core, net::TcpDialer& dialer, std::optional<Target> target, Duration timeout);

  const std::optional<Target>& target() const { return target_; }
  /// is_near: on this machine.
  bool is_near() const;
  /// begin dials if nothing has yet.
  void begin();
  /// take begins, waits for the connection and hands it over, once. Errors: of the dialer; not_found (no
  /// target).
  net::Task<std::unique_ptr<net::TcpStream>> take();
  /// end gives up what was not taken.
  boost::asio::awaitable<void> end();

 private:
  boost::asio::awaitable<void> dial();

  net::Core& core_;
  net::TcpDialer& dialer_;
  std::optional<Target> target_;
  Duration timeout_;
  bool begun_ = false;
  net::Nursery children_;
  net::Event done_;
  std::optional<Result<std::unique_ptr<net::TcpStream>>> outcome_;
};

}  // namespace village::service
