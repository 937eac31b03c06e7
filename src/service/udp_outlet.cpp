#include "service/udp_outlet.hpp"

#include <utility>

#include "village/net/deadline.hpp"
#include "village/net/resolver.hpp"
#include "village/service/gateway_limits.hpp"

namespace village::service {

namespace asio = boost::asio;

UdpScratch& UdpScratch::local() {
  thread_local UdpScratch scratch;
  return scratch;
}

UdpOutlet::UdpOutlet(net::Core& core, net::Nursery& tasks, Owner& owner, AddressPolicy allow,
                     Duration name_time)
    : core_{core}, tasks_{tasks}, owner_{owner}, allow_{std::move(allow)}, name_time_{name_time} {}

void UdpOutlet::add(const Target& target, ByteView data) {
  if (const auto* v4 = std::get_if<Ipv4Address>(&target.host)) return add(net::Ip{*v4}, target.port, data);
  if (const auto* v6 = std::get_if<Ipv6Address>(&target.host))
    return add(net::unmapped(*v6), target.port, data);
  look_up(std::get<DomainName>(target.host).text(), target.port, data);
}

void UdpOutlet::add(const net::Ip& address, std::uint16_t port, ByteView data) {
  if (allow_ && !allow_(address)) return owner_.on_drop(Drop::denied, 1);
  (net::is_v4(address) ? to_v4_ : to_v6_).push_back({data, net::Endpoint{address, port}});
}

void UdpOutlet::flush() {
  if (!to_v4_.empty()) send(socket(true), to_v4_);
  if (!to_v6_.empty()) send(socket(false), to_v6_);
}

void UdpOutlet::send(net::UdpSocket* socket, std::vector<net::Datagram>& datagrams) {
  if (socket == nullptr) {
    owner_.on_drop(Drop::socket, datagrams.size());
    return datagrams.clear();
  }
  const auto sent = socket->send(datagrams);
  const auto taken = sent ? *sent : 0;
  if (taken < datagrams.size()) owner_.on_drop(Drop::full, datagrams.size() - taken);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < taken; ++i) bytes += datagrams[i].payload.size();
  owner_.on_sent(taken, bytes);
  datagrams.clear();
}

net::UdpSocket* UdpOutlet::socket(bool v4) {
  auto& place = v4 ? v4_ : v6_;
  if (place) return place.get();
  net::UdpOptions options;
  options.buffer_bytes = gateway_limits::udp_socket_bytes;
  const net::Endpoint any = v4 ? net::Endpoint{Ipv4Address{}} : net::Endpoint{Ipv6Address{}};
  auto made = net::UdpSocket::bind(core_, any, options);
  if (!made) return nullptr;
  place = *std::move(made);
  tasks_.spawn([this, raw = place.get()] { return receive_loop(*raw); });
  return place.get();
}

asio::awaitable<void> UdpOutlet::receive_loop(net::UdpSocket& socket) {
  for (;;) {
    const auto ready = co_await socket.wait_readable();
    if (!ready) co_return;
    auto& scratch = UdpScratch::local();
    const auto received = socket.receive(scratch.batch);
    if (received && *received > 0) owner_.on_datagrams(scratch.batch.datagrams());
  }
}

void UdpOutlet::look_up(const std::string& name, std::uint16_t port, ByteView data) {
  const bool full = names_pending_ == gateway_limits::udp_names_pending_max ||
                    names_pending_bytes_ + data.size() > gateway_limits::udp_names_pending_bytes_max;
  if (full) return owner_.on_drop(Drop::names_full, 1);
  const bool started = tasks_.spawn(
      [this, name, port, payload = to_bytes(data)] { return send_to_name(name, port, payload); });
  if (!started) return;
  ++names_pending_;
  names_pending_bytes_ += data.size();
}

asio::awaitable<void> UdpOutlet::send_to_name(std::string name, std::uint16_t port, Bytes payload) {
  const auto deadline = net::after(core_, name_time_);
  const auto found = co_await core_.resolver().resolve(std::move(name), deadline);
  --names_pending_;
  names_pending_bytes_ -= payload.size();
  if (!found || found->empty()) {
    owner_.on_drop(Drop::name, 1);
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
  add(net::unmapped(ip), port, payload);
  flush();
}

}  // namespace village::service
