#pragma once
// TunnelAcceptor: this core's part of one listening address, from the accepted connection to the end of its
// session.
#include <memory>

#include "service/tunnel_context.hpp"
#include "village/net/listener.hpp"

namespace village::service {

class TunnelAcceptor {
 public:
  TunnelAcceptor(TunnelContext& context, std::shared_ptr<net::Listener> listener,
                 std::shared_ptr<net::TlsServerContext> tls)
      : context_{context}, listener_{std::move(listener)}, tls_{std::move(tls)} {}

  /// serve accepts until close() or cancellation, and ends with the last session.
  boost::asio::awaitable<void> serve();
  /// close stops accepting; sessions go on.
  void close() { listener_->close(); }
  net::TlsServerContext* tls() { return tls_.get(); }

 private:
  boost::asio::awaitable<void> accepted(net::StreamPtr socket);
  net::Task<std::shared_ptr<TunnelLink>> enter(net::StreamPtr socket, Bytes& early);

  TunnelContext& context_;
  std::shared_ptr<net::Listener> listener_;
  std::shared_ptr<net::TlsServerContext> tls_;  ///< null with outer none
};

}  // namespace village::service
