#pragma once
// UDP over the tunnel: an HTX stream of service 2 stands for one association, DATAGRAM frames carry its
// datagrams, `ATYP ADDR PORT data` both ways. It ends with its stream. Source: decisions/htx ("UDP").
#include <boost/asio/awaitable.hpp>
#include <memory>

#include "service/tunnel_context.hpp"
#include "service/tunnel_stream.hpp"
#include "village/net/datagram_path.hpp"

namespace village::service {

/// TunnelDatagramPath is the entry's end of an association.
class TunnelDatagramPath final : public net::DatagramPath, private DatagramSink {
 public:
  /// `stream` is one whose header was sent and whose exit has answered `connected`.
  TunnelDatagramPath(std::unique_ptr<TunnelStream> stream, Receive receive);
  ~TunnelDatagramPath() override;
  Result<void> send(const Target& target, ByteView data) override;
  net::Task<void> wait_end() override;

 private:
  void take(ByteView datagram) override;
  std::shared_ptr<TunnelStream> stream_;
  Receive receive_;
};

/// serve_udp is the exit's end: carries datagrams until the stream ends, nothing moves for
/// limits::tunnel_udp_idle_max, or the session dies. The caller has judged whether the peer may exit; how
/// many associations it may have is judged here.
boost::asio::awaitable<void> serve_udp(TunnelContext& context, std::shared_ptr<TunnelStream> stream,
                                       crypto::Ed25519Public peer);

}  // namespace village::service
