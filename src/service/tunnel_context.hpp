#pragma once
// TunnelContext: what the parts of one core's Tunnel share.
#include <map>
#include <memory>
#include <vector>

#include "service/tunnel_link.hpp"
#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tcp.hpp"
#include "village/net/tls.hpp"
#include "village/service/tunnel.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::service {

/// TunnelContext outlives every part. `options` is replaced by reload: what must not change under way is
/// copied.
struct TunnelContext {
  TunnelContext(net::Core& on, std::shared_ptr<const TunnelOptions> with, net::Dialer& out,
                std::shared_ptr<TunnelCounts> shared, std::shared_ptr<TicketDesk> tickets)
      : core{on},
        options{std::move(with)},
        exit{out},
        counts{std::move(shared)},
        desk{std::move(tickets)},
        to_peers{on},
        changed{on},
        tasks{on} {}

  net::Core& core;
  std::shared_ptr<const TunnelOptions> options;
  net::Dialer& exit;
  std::shared_ptr<TunnelCounts> counts;
  std::shared_ptr<TicketDesk> desk;  ///< null = no tickets asked for
  net::TcpDialer to_peers;
  std::shared_ptr<net::TlsClientContext> tls_client;  ///< made on first need
  std::vector<std::shared_ptr<TunnelLink>> links;     ///< every session of this core that is not over
  std::map<htx::Service, StreamService> services;     ///< beside tcp and udp
  bool draining = false;
  net::Event changed;  ///< a link is over
  net::Nursery tasks;

  /// peer finds a configured peer by its key; nullptr if there is none.
  const TunnelPeer* peer(const crypto::Ed25519Public& key) const {
    for (const auto& peer : options->peers) {
      if (peer.key == key) return &peer;
    }
    return nullptr;
  }
  /// run_link drives a session and the streams the peer opens in it until both are over.
  boost::asio::awaitable<Error> run_link(std::shared_ptr<TunnelLink> link, Bytes early,
                                         std::function<void()> on_ready);
};

}  // namespace village::service
