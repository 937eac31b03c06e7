#pragma once
// UdpAssociation: SOCKS5 UDP ASSOCIATE with a direct way out. Source: RFC 1928 section 7, proxy.md section 2.
//
//   client  <- header | data ->  client socket  |  one socket for each address family  <- data ->  anybody
//
// Full cone: what anybody sends to an outbound socket goes to the client. The client is who sends first from
// the address of the TCP connection (and from the port it announced, if it did). Ends with the TCP
// connection.
#include <string>

#include "service/gateway_context.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/udp.hpp"

namespace village::service {

class UdpAssociation {
 public:
  /// `client` is the other end of the TCP connection; `port` what the client announced, 0 = nothing.
  UdpAssociation(GatewayContext& context, std::shared_ptr<const GatewayPlan> plan,
                 const GatewayPlan::Inbound& inbound, const net::Endpoint& client, std::uint16_t port);

  /// open binds the socket for the client beside the TCP connection's local address, and returns where it is.
  Result<net::Endpoint> open(const net::Endpoint& tcp_local);
  /// run carries datagrams until `control`, the TCP connection, ends.
  boost::asio::awaitable<void> run(net::Stream& control);

 private:
  boost::asio::awaitable<void> carry_up();
  boost::asio::awaitable<void> carry_down(net::UdpSocket& outbound);
  boost::asio::awaitable<void> send_to_name(std::string name, std::uint16_t port, Bytes payload);

  /// look_up sends a copy of the data when the name is known.
  void look_up(const std::string& name, std::uint16_t port, ByteView data);
  void take_from_client(const net::Datagram& datagram, UdpScratch& scratch);
  bool is_client(const net::Endpoint& source);
  void take_from_world(std::span<const net::Datagram> datagrams, UdpScratch& scratch);
  void send_up(net::UdpSocket* socket, std::span<const net::Datagram> datagrams);
  /// outbound opens the family's socket at its first datagram; nullptr if that fails.
  net::UdpSocket* outbound(bool v4);
  net::UdpOptions socket_options() const;

  GatewayContext& context_;
  std::shared_ptr<const GatewayPlan> plan_;
  const GatewayPlan::Inbound& inbound_;
  net::Endpoint client_;  // port 0 until known
  std::unique_ptr<net::UdpSocket> near_, far_v4_, far_v6_;
  std::size_t names_pending_ = 0;
  std::size_t names_pending_bytes_ = 0;
  net::Nursery tasks_;
};

}  // namespace village::service
