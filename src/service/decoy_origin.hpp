#pragma once
// DecoyOrigin: the connection to the web server behind us, begun before anybody needs it.
#include <memory>
#include <optional>

#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tcp.hpp"

namespace village::service {

/// DecoyOrigin dials from its construction on. end() must have been awaited before it dies.
class DecoyOrigin {
 public:
  /// Without a target nothing is dialled.
  DecoyOrigin(net::Core& core, net::TcpDialer& dialer, std::optional<Target> target, Duration timeout);

  const std::optional<Target>& target() const { return target_; }
  /// take waits for the connection and hands it over, once. Errors: of the dialer; not_found (no target).
  net::Task<std::unique_ptr<net::TcpStream>> take();
  /// end gives up what was not taken.
  boost::asio::awaitable<void> end();

 private:
  boost::asio::awaitable<void> dial(Duration timeout);

  net::Core& core_;
  net::TcpDialer& dialer_;
  std::optional<Target> target_;
  net::Nursery children_;
  net::Event done_;
  std::optional<Result<std::unique_ptr<net::TcpStream>>> outcome_;
};

}  // namespace village::service
