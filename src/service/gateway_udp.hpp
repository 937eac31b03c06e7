#pragma once
// UdpAssociation: SOCKS5 UDP ASSOCIATE. Source: RFC 1928 section 7, proxy.md section 2.
//
//   client  <- header | data ->  client socket  +-- UdpOutlet: sockets of this node
//                                               +-- DatagramPath: through a tunnel's peer, opened at need
//
// Each datagram takes its route. Full cone: what anybody sends to an outbound socket goes to the client. The
// client is who sends first from the address of the TCP connection (and from the port it announced, if it
// did). Ends with the TCP connection.
#include <map>
#include <string>
#include <vector>

#include "service/gateway_context.hpp"
#include "service/udp_outlet.hpp"
#include "village/net/datagram_path.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/udp.hpp"

namespace village::service {

class UdpAssociation final : private UdpOutlet::Owner {
 public:
  /// `client` is the other end of the TCP connection; `port` what the client announced, 0 = nothing.
  UdpAssociation(GatewayContext& context, std::shared_ptr<const GatewayPlan> plan,
                 const GatewayPlan::Inbound& inbound, const net::Endpoint& client, std::uint16_t port);

  /// open binds the socket for the client beside the TCP connection's local address, and returns where it is.
  Result<net::Endpoint> open(const net::Endpoint& tcp_local);
  /// run carries datagrams until `control`, the TCP connection, ends.
  boost::asio::awaitable<void> run(net::Stream& control);

 private:
  /// Tunnel is the way through one peer. While it is being opened datagrams wait, few.
  struct Tunnel {
    struct Waiting {
      Target target;
      Bytes data;
    };
    net::DatagramPathPtr path;
    bool opening = false;
    std::vector<Waiting> waiting;
    std::size_t waiting_bytes = 0;
  };

  boost::asio::awaitable<void> carry_up();
  boost::asio::awaitable<void> run_tunnel(std::string peer);
  void take_from_client(const net::Datagram& datagram);
  bool is_client(const net::Endpoint& source);
  void send_through(const std::string& peer, const Target& target, ByteView data);
  void send_through(Tunnel& tunnel, const Target& target, ByteView data);
  /// to_client sends what came from a peer.
  void to_client(const Target& source, ByteView data);

  void on_datagrams(std::span<const net::Datagram> datagrams) override;
  void on_sent(std::uint64_t packets, std::uint64_t bytes) override;
  void on_drop(UdpOutlet::Drop reason, std::uint64_t packets) override;

  GatewayContext& context_;
  std::shared_ptr<const GatewayPlan> plan_;
  const GatewayPlan::Inbound& inbound_;
  net::Endpoint client_;  // port 0 until known
  std::unique_ptr<net::UdpSocket> near_;
  net::Nursery tasks_;
  UdpOutlet outlet_;
  std::map<std::string, Tunnel, std::less<>> tunnels_;  // as many as there are peers with a route
};

}  // namespace village::service
