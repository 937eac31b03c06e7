#include "service/gateway_udp.hpp"

#include "village/net/deadline.hpp"
#include "village/net/resolver.hpp"
#include "village/proxy/socks5.hpp"
#include "village/service/gateway_limits.hpp"

namespace village::service {

namespace asio = boost::asio;
using gateway_metrics::Drop;

UdpAssociation::UdpAssociation(GatewayContext& context, std::shared_ptr<const GatewayPlan> plan,
                               const GatewayPlan::Inbound& inbound, const net::Endpoint& client,
                               std::uint16_t port)
    : context_{context}, plan_{std::move(plan)}, inbound_{inbound}, client_{client}, tasks_{context.core} {
  client_.port = port;
}

net::UdpOptions UdpAssociation::socket_options() const {
  net::UdpOptions options;
  options.buffer_bytes = gateway_limits::udp_socket_bytes;
  return options;
}

Result<net::Endpoint> UdpAssociation::open(const net::Endpoint& tcp_local) {
  auto local = tcp_local;
  local.port = 0;
  VG_TRY(socket, net::UdpSocket::bind(context_.core, local, socket_options()));
  near_ = std::move(socket);
  return near_->local();
}

net::UdpSocket* UdpAssociation::outbound(bool v4) {
  auto& socket = v4 ? far_v4_ : far_v6_;
  if (socket) return socket.get();
  const net::Endpoint any = v4 ? net::Endpoint{Ipv4Address{}} : net::Endpoint{Ipv6Address{}};
  auto made = net::UdpSocket::bind(context_.core, any, socket_options());
  if (!made) return nullptr;
  socket = *std::move(made);
  tasks_.spawn([this, raw = socket.get()] { return carry_down(*raw); });
  return socket.get();
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
}

// ------------------------------------------------------------------ client -> anybody

asio::awaitable<void> UdpAssociation::carry_up() {
  for (;;) {
    const auto ready = co_await near_->wait_readable();
    if (!ready) co_return;
    auto& scratch = context_.scratch();
    const auto received = near_->receive(scratch.batch);
    if (!received || *received == 0) continue;  // an ICMP error of an earlier datagram, or nothing after all
    scratch.to_v4.clear();
    scratch.to_v6.clear();
    for (const auto& datagram : scratch.batch.datagrams()) take_from_client(datagram, scratch);
    if (!scratch.to_v4.empty()) send_up(outbound(true), scratch.to_v4);
    if (!scratch.to_v6.empty()) send_up(outbound(false), scratch.to_v6);
  }
}

bool UdpAssociation::is_client(const net::Endpoint& source) {
  if (source.ip != client_.ip) return false;
  if (client_.port == 0) client_.port = source.port;
  return source.port == client_.port;
}

void UdpAssociation::take_from_client(const net::Datagram& datagram, UdpScratch& scratch) {
  auto parsed = proxy::parse_socks5_datagram(datagram.payload);
  if (!parsed) {
    const bool fragment = parsed.error().code == Errc::unsupported && parsed.error().detail != 0;
    return gateway_metrics::drop(fragment ? Drop::fragment : Drop::malformed);
  }
  if (!is_client(datagram.peer)) return gateway_metrics::drop(Drop::source);
  if (plan_->route(inbound_.name, Network::udp, parsed->target).kind != OutboundKind::direct) {
    return gateway_metrics::drop(Drop::outbound);
  }
  const auto port = parsed->target.port;
  if (const auto* v4 = std::get_if<Ipv4Address>(&parsed->target.host)) {
    scratch.to_v4.push_back({parsed->data, net::Endpoint{*v4, port}});
  } else if (const auto* v6 = std::get_if<Ipv6Address>(&parsed->target.host)) {
    const auto ip = net::unmapped(*v6);
    (net::is_v4(ip) ? scratch.to_v4 : scratch.to_v6).push_back({parsed->data, net::Endpoint{ip, port}});
  } else {
    look_up(std::get<DomainName>(parsed->target.host).text(), port, parsed->data);
  }
}

void UdpAssociation::look_up(const std::string& name, std::uint16_t port, ByteView data) {
  const bool full = names_pending_ == gateway_limits::udp_names_pending_max ||
                    names_pending_bytes_ + data.size() > gateway_limits::udp_names_pending_bytes_max;
  if (full) return gateway_metrics::drop(Drop::names_full);
  const bool started = tasks_.spawn(
      [this, name, port, payload = to_bytes(data)] { return send_to_name(name, port, payload); });
  if (!started) return;
  ++names_pending_;
  names_pending_bytes_ += data.size();
}

asio::awaitable<void> UdpAssociation::send_to_name(std::string name, std::uint16_t port, Bytes payload) {
  auto& core = context_.core;
  const auto deadline = net::after(core, plan_->options().dial_timeout);
  const auto found = co_await core.resolver().resolve(std::move(name), deadline);
  --names_pending_;
  names_pending_bytes_ -= payload.size();
  if (!found || found->empty()) {
    gateway_metrics::drop(Drop::name);
    co_return;
  }
  // Nobody says whether IPv6 works from here, and there is no connection to find out by: IPv4 first.
  auto ip = found->front();
  for (const auto& each : *found) {
    if (net::is_v4(each)) {
      ip = each;
      break;
    }
  }
  const net::Datagram datagram{payload, net::Endpoint{ip, port}};
  send_up(outbound(net::is_v4(ip)), {&datagram, 1});
}

void UdpAssociation::send_up(net::UdpSocket* socket, std::span<const net::Datagram> datagrams) {
  if (socket == nullptr) return gateway_metrics::drop(Drop::socket, datagrams.size());
  const auto sent = socket->send(datagrams);
  const auto taken = sent ? *sent : 0;
  if (taken < datagrams.size()) gateway_metrics::drop(Drop::full, datagrams.size() - taken);
  std::uint64_t bytes = 0;
  for (const auto& datagram : datagrams.first(taken)) bytes += datagram.payload.size();
  gateway_metrics::udp_packets_up.add(taken);
  gateway_metrics::udp_bytes_up.add(bytes);
}

// ------------------------------------------------------------------ anybody -> client

asio::awaitable<void> UdpAssociation::carry_down(net::UdpSocket& outbound) {
  for (;;) {
    const auto ready = co_await outbound.wait_readable();
    if (!ready) co_return;
    auto& scratch = context_.scratch();
    const auto received = outbound.receive(scratch.batch);
    if (received && *received > 0) take_from_world(scratch.batch.datagrams(), scratch);
  }
}

void UdpAssociation::take_from_world(std::span<const net::Datagram> datagrams, UdpScratch& scratch) {
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

}  // namespace village::service
