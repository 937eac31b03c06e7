#pragma once
// TunnelReception: the front of a listener with outer tls and tickets. To whoever has no good ticket it is
// the web server behind it.
//
//   accepted -> first byte -> TLS -> first head -> ticket -> 101 -> (Noise)
//                  | not TLS   | h2, old TLS | not ours | not good
//                  v           v             v          v
//               origin_plain   ------- origin (DecoySplice) -------
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "service/accept_gate.hpp"
#include "service/decoy_site.hpp"
#include "service/decoy_splice.hpp"
#include "service/tunnel_context.hpp"
#include "village/proxy/upgrade.hpp"
#include "village/service/connection_places.hpp"

namespace village::service {

/// TicketAdmit spends a ticket (TicketDesk::admit).
using TicketAdmit = std::function<Result<void>(std::string_view ticket_text, const net::Ip& from)>;

class TunnelReception {
 public:
  TunnelReception(TunnelContext& context, std::shared_ptr<net::TlsServerContext> tls, TicketAdmit admit);

  /// receive takes a connection up to the 101: what comes next is Noise. A stranger is served until he goes;
  /// then, and on every failure, the error is for the log. `handshake` is a place held while TLS and, later,
  /// Noise are under way; strangers give it back for one of their own. Errors: denied (a stranger), busy,
  /// those of TLS.
  net::Task<std::unique_ptr<net::TlsStream>> receive(std::unique_ptr<net::SocketStream> socket, net::Ip from,
                                                     std::optional<Place>& handshake);

  void use_tls(std::shared_ptr<net::TlsServerContext> tls) { tls_ = std::move(tls); }
  /// use_site takes the files to show when there is no origin; null = nothing to show.
  void use_site(std::shared_ptr<const DecoySite> site) { site_ = std::move(site); }

  /// stay_silent keeps a stream open, reading and saying nothing, as a WebSocket server does that has nothing
  /// to say, and closes it when nothing has come for the time-out. `heard` is when something came last.
  boost::asio::awaitable<void> stay_silent(net::TlsStream& stream, net::Ip from, Instant heard);

 private:
  struct Seat;
  using Judgement = DecoySplice::Judgement;

  net::Task<bool> begins_with_tls(net::SocketStream& socket, Instant deadline);
  /// Origins are the connections begun for one who came by TLS.
  struct Origins;
  net::Task<std::unique_ptr<net::TlsStream>> receive_tls(std::unique_ptr<net::SocketStream> socket,
                                                         net::Ip from, Instant deadline,
                                                         std::optional<Place>& handshake, Origins& origins);
  net::Task<void> receive_plain(net::SocketStream& socket, net::Ip from);
  boost::asio::awaitable<SpliceEnd> serve_stranger(net::Stream& client, DecoyOrigin& origin, bool http2,
                                                   DecoySplice::Judge judge);
  /// show_site is for those who can be no peers: no head is judged.
  boost::asio::awaitable<void> show_site(net::Stream& client, bool http2);
  net::Task<Judgement> judge_alone(net::TlsStream& client, DecoySplice::Judge judge, Bytes& held);
  Judgement judge(proxy::UpgradeWatch& watch, ByteView bytes, const net::Ip& from);
  net::Task<void> receive_alone(net::TlsStream& client, DecoySplice::Judge judge, bool seated);
  net::Task<void> answer(net::TlsStream& client, const proxy::UpgradeWatch& watch);
  std::optional<Seat> seat(const net::Ip& from);

  TunnelContext& context_;
  std::shared_ptr<net::TlsServerContext> tls_;
  TicketAdmit admit_;
  std::shared_ptr<const DecoySite> site_;
  net::TcpDialer to_origin_;
  AcceptGate gate_;
  DecoyVigil vigil_;
};

}  // namespace village::service
