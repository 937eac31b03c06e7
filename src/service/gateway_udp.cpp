#include "service/gateway_udp.hpp"

#include <utility>

#include "village/base/check.hpp"
#include "village/net/deadline.hpp"
#include "village/proxy/socks5.hpp"
#include "village/service/gateway_limits.hpp"

namespace village::service {

namespace asio = boost::asio;
using gateway_metrics::Drop;

UdpAssociation::UdpAssociation(GatewayContext& context, std::shared_ptr<const GatewayPlan> plan,
                               const GatewayPlan::Inbound& inbound, const net::Endpoint& client,
                               std::uint16_t port)
    : context_{context},
      plan_{std::move(plan)},
      inbound_{inbound},
      client_{client},
      tasks_{context.core},
      outlet_{context.core, tasks_, *this, {}, plan_->options().dial_timeout} {
  client_.port = port;
}

Result<net::Endpoint> UdpAssociation::open(const net::Endpoint& tcp_local) {
  auto local = tcp_local;
  local.port = 0;
  net::UdpOptions options;
  options.buffer_bytes = gateway_limits::udp_socket_bytes;
  VG_TRY(socket, net::UdpSocket::bind(context_.core, local, options));
  near_ = std::move(socket);
  return near_->local();
}

asio::awaitable<void> UdpAssociation::run(net::Stream& control) {
  tasks_.spawn([this] { return carry_up(); });
  ByteArray<256> ignored;
  for (;;) {
    const auto read = co_await control.read_some(ignored);
    if (!read || *read == 0) break;
  }
  tasks_.cancel();
  co_await tasks_.join();
  tunnels_.clear();
}

// ------------------------------------------------------------------ client -> anybody

asio::awaitable<void> UdpAssociation::carry_up() {
  for (;;) {
    const auto ready = co_await near_->wait_readable();
    if (!ready) co_return;
    auto& batch = UdpScratch::local().batch;
    const auto received = near_->receive(batch);
    if (!received || *received == 0) continue;  // an ICMP error of an earlier datagram, or nothing after all
    for (const auto& datagram : batch.datagrams()) take_from_client(datagram);
    outlet_.flush();
  }
}

bool UdpAssociation::is_client(const net::Endpoint& source) {
  if (source.ip != client_.ip) return false;
  if (client_.port == 0) client_.port = source.port;
  return source.port == client_.port;
}

void UdpAssociation::take_from_client(const net::Datagram& datagram) {
  auto parsed = proxy::parse_socks5_datagram(datagram.payload);
  if (!parsed) {
    const bool fragment = parsed.error().code == Errc::unsupported && parsed.error().detail != 0;
    return gateway_metrics::drop(fragment ? Drop::fragment : Drop::malformed);
  }
  if (!is_client(datagram.peer)) return gateway_metrics::drop(Drop::source);
  const auto& outbound = plan_->route(inbound_.name, Network::udp, parsed->target);
  switch (outbound.kind) {
    case OutboundKind::direct:
      return outlet_.add(parsed->target, parsed->data);
    case OutboundKind::htx:
      return send_through(outbound.peer, parsed->target, parsed->data);
    case OutboundKind::block:
      break;
  }
  gateway_metrics::drop(Drop::outbound);
}

void UdpAssociation::send_through(const std::string& peer, const Target& target, ByteView data) {
  auto& tunnel = tunnels_[peer];
  if (tunnel.path) return send_through(tunnel, target, data);
  if (tunnel.waiting.size() == gateway_limits::udp_names_pending_max ||
      tunnel.waiting_bytes + data.size() > gateway_limits::udp_names_pending_bytes_max) {
    return gateway_metrics::drop(Drop::tunnel_full);
  }
  tunnel.waiting.push_back({target, to_bytes(data)});
  tunnel.waiting_bytes += data.size();
  if (std::exchange(tunnel.opening, true)) return;
  tasks_.spawn([this, peer] { return run_tunnel(peer); });  // not if the association is ending
}

void UdpAssociation::send_through(Tunnel& tunnel, const Target& target, ByteView data) {
  const auto sent = tunnel.path->send(target, data);
  if (sent) return on_sent(1, data.size());
  gateway_metrics::drop(sent.error().code == Errc::busy ? Drop::tunnel_full : Drop::tunnel);
}

// Opens the way through `peer`, sends what waits, and keeps it until it is of no more use. The next datagram
// opens it again; a peer that is not there is asked by each of its dialer's attempts only.
asio::awaitable<void> UdpAssociation::run_tunnel(std::string peer) {
  auto& tunnel = tunnels_[peer];
  net::Dialer* const dialer = context_.peer(peer);
  if (dialer == nullptr) {
    gateway_metrics::drop(Drop::tunnel, tunnel.waiting.size());
  } else {
    net::DatagramPath::Receive receive = [this](const Target& source, ByteView data) {
      to_client(source, data);
    };
    const auto deadline = net::after(context_.core, plan_->options().dial_timeout);
    auto path = co_await dialer->associate(std::move(receive), deadline);
    if (path) {
      tunnel.path = std::move(*path);
      for (const auto& each : tunnel.waiting) send_through(tunnel, each.target, each.data);
    } else {
      gateway_metrics::drop(Drop::tunnel, tunnel.waiting.size());
    }
  }
  tunnel.waiting = {};
  tunnel.waiting_bytes = 0;
  tunnel.opening = false;
  if (tunnel.path) (void)co_await tunnel.path->wait_end();
  tunnel.path.reset();
}

// ------------------------------------------------------------------ anybody -> client

void UdpAssociation::to_client(const Target& source, ByteView data) {
  auto& arena = UdpScratch::local().arena;
  const auto room = data.size() + proxy::limits::udp_header_bytes_max;
  if (arena.size() < room) arena.resize(room);
  wire::Writer writer{ByteSpan{arena}};
  proxy::write_socks5_datagram_header(writer, source);
  writer.bytes(data);
  VG_CHECK(!writer.overflowed());
  const net::Datagram datagram{ByteView{arena}.first(writer.position()), client_};
  const auto sent = near_->send({&datagram, 1});
  if (!sent || *sent == 0) return gateway_metrics::drop(Drop::full);
  gateway_metrics::udp_packets_down.add();
  gateway_metrics::udp_bytes_down.add(data.size());
}

void UdpAssociation::on_datagrams(std::span<const net::Datagram> datagrams) {
  auto& scratch = UdpScratch::local();
  std::size_t room = 0;
  std::uint64_t bytes = 0;
  for (const auto& datagram : datagrams)
    room += datagram.payload.size() + proxy::limits::udp_header_bytes_max;
  if (scratch.arena.size() < room) scratch.arena.resize(room);
  scratch.to_client.clear();
  wire::Writer writer{ByteSpan{scratch.arena}};
  for (const auto& datagram : datagrams) {
    const auto start = writer.position();
    proxy::write_socks5_datagram_header(writer, net::to_target(datagram.peer));
    writer.bytes(datagram.payload);
    bytes += datagram.payload.size();
    scratch.to_client.push_back({ByteView{scratch.arena}.subspan(start, writer.position() - start), client_});
  }
  VG_CHECK(!writer.overflowed());
  const auto sent = near_->send(scratch.to_client);
  const auto taken = sent ? *sent : 0;
  if (taken < datagrams.size()) gateway_metrics::drop(Drop::full, datagrams.size() - taken);
  gateway_metrics::udp_packets_down.add(taken);
  gateway_metrics::udp_bytes_down.add(bytes);
}

void UdpAssociation::on_sent(std::uint64_t packets, std::uint64_t bytes) {
  gateway_metrics::udp_packets_up.add(packets);
  gateway_metrics::udp_bytes_up.add(bytes);
}

void UdpAssociation::on_drop(UdpOutlet::Drop reason, std::uint64_t packets) {
  switch (reason) {
    case UdpOutlet::Drop::name:
      return gateway_metrics::drop(Drop::name, packets);
    case UdpOutlet::Drop::names_full:
      return gateway_metrics::drop(Drop::names_full, packets);
    case UdpOutlet::Drop::socket:
      return gateway_metrics::drop(Drop::socket, packets);
    case UdpOutlet::Drop::denied:
    case UdpOutlet::Drop::full:
      break;
  }
  gateway_metrics::drop(Drop::full, packets);
}

}  // namespace village::service
