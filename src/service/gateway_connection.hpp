#pragma once
// GatewayConnection: one client, from its first byte to the end of what it asked for.
//
//   first byte -> handshake (SOCKS5, SOCKS4, HTTP head) -> route, dial -> reply -> relay
//                      \______________________________________\______ reply that says why -> farewell
#include "service/gateway_context.hpp"
#include "service/inbox.hpp"
#include "village/net/listener.hpp"
#include "village/proxy/socks4.hpp"
#include "village/proxy/socks5.hpp"

namespace village::service {

class GatewayConnection {
 public:
  /// All of them outlive the connection; `inbound` belongs to `plan`.
  GatewayConnection(GatewayContext& context, std::shared_ptr<const GatewayPlan> plan,
                    const GatewayPlan::Inbound& inbound, net::Accepted accepted);
  /// run ends when both sides have finished, or after an error.
  boost::asio::awaitable<void> run();

 private:
  boost::asio::awaitable<void> run_socks5(Instant deadline);
  boost::asio::awaitable<void> run_socks4(Instant deadline);
  boost::asio::awaitable<void> run_http(Instant deadline);
  net::Task<proxy::Socks5Request> negotiate_socks5();
  net::Task<Target> negotiate_socks4();
  boost::asio::awaitable<void> connect(Target target);
  boost::asio::awaitable<void> associate(const proxy::Socks5Request& request);
  boost::asio::awaitable<void> turn_away(gateway_metrics::Refusal reason, proxy::Socks5Reply code);
  boost::asio::awaitable<void> reply(proxy::Socks5Reply code, std::optional<Target> bound = std::nullopt);

  /// say writes a short answer; a client that does not take it within reply_time_max is given up.
  net::Task<void> say(ByteView text);
  /// count_refusal counts a handshake that failed.
  void count_refusal(Errc code);
  /// relay sends what the client was early with, then carries bytes both ways to the end.
  boost::asio::awaitable<void> relay(net::StreamPtr upstream);
  /// farewell ends our side in order and reads on for a while, so that the client gets the reply and no
  /// reset.
  boost::asio::awaitable<void> farewell();

  GatewayContext& context_;
  std::shared_ptr<const GatewayPlan> plan_;
  const GatewayPlan::Inbound& inbound_;
  net::Accepted accepted_;
  net::Stream& client_;
  Inbox inbox_;
};

}  // namespace village::service
