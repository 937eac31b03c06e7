#pragma once
// TunnelAcceptor: this core's part of one listening address, from the accepted connection to the end of its
// session.
#include <memory>

#include "service/tunnel_context.hpp"
#include "service/tunnel_reception.hpp"
#include "service/tunnel_way_in.hpp"
#include "village/net/listener.hpp"

namespace village::service {

class TunnelAcceptor {
 public:
  TunnelAcceptor(TunnelContext& context, std::shared_ptr<net::Listener> listener,
                 std::shared_ptr<net::TlsServerContext> tls, TicketAdmit admit = {});

  /// serve accepts until close() or cancellation, and ends with the last session.
  boost::asio::awaitable<void> serve();
  /// close stops accepting; sessions go on.
  void close() { listener_->close(); }
  bool has_tls() const { return tls_ != nullptr; }
  /// use_tls takes changed certificates, for connections to come.
  void use_tls(std::shared_ptr<net::TlsServerContext> tls);
  void use_site(std::shared_ptr<const DecoySite> site) {
    if (reception_) reception_->use_site(std::move(site));
  }

 private:
  boost::asio::awaitable<void> accepted(net::Accepted connection);
  net::Task<std::shared_ptr<TunnelLink>> enter(net::Accepted connection, Bytes& early,
                                               std::optional<Place>& session);
  net::Task<WayIn> enter_by_ticket(net::Accepted connection, std::optional<Place>& handshake,
                                   ServerWayIn settings);
  Result<std::shared_ptr<TunnelLink>> make_link(WayIn entered, Instant begin, Bytes& early);

  TunnelContext& context_;
  std::shared_ptr<net::Listener> listener_;
  std::shared_ptr<net::TlsServerContext> tls_;  ///< null with outer none
  std::unique_ptr<TunnelReception> reception_;  ///< outer tls with tickets
};

}  // namespace village::service
