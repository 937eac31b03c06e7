#pragma once
// Tunnel: the HTX service of one core. Accepts peers' sessions and serves their streams; dials peers and offers each
// as a net::Dialer. Sessions never leave their core; every core has a Tunnel of its own.
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::net {
class Listener;
}

namespace village::service {

/// SessionStatus is one row of `villaged status`.
struct SessionStatus {
  std::string peer;        ///< configured name
  std::string node;        ///< bn1: name
  bool inbound = false;
  std::string state;       ///< "connected", "connecting", "waiting" (back-off), "idle"
  Outer outer = Outer::none;
  int suite = 0;
  std::size_t core = 0;
  htx::Statistics statistics;
  Duration age{0};
  Duration key_age{0};
  std::string last_error;  ///< "" = none
};

class Tunnel {
 public:
  /// `exit` opens the targets of peers' streams (a TcpDialer with the exit's address policy); it outlives the Tunnel.
  Tunnel(net::Core& core, std::shared_ptr<const TunnelOptions> options, net::Dialer& exit);
  ~Tunnel();

  /// serve accepts peers on this core's part of a listener until stop(); `index` is the entry of options.listen.
  void serve(std::unique_ptr<net::Listener> listener, std::size_t index);
  /// dialer gives the way through peer `name`; nullptr if there is no such peer or it has no address. Lives as long as
  /// the Tunnel; after a reload that removes the peer its dial() fails with not_found.
  net::Dialer* dialer(std::string_view name);
  /// reload applies changed options: new peers work, removed peers' sessions end, untouched sessions go on.
  void reload(std::shared_ptr<const TunnelOptions> options);
  /// drain stops accepting sessions and streams, waits for open streams until `deadline`, then closes with CLOSE.
  net::Task<void> drain(Instant deadline);
  std::vector<SessionStatus> status() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::service
