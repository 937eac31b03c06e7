#pragma once
// Tunnel: the HTX service of one core. Accepts peers' sessions and serves their streams; dials peers and
// offers each as a net::Dialer. Sessions never leave their core; every core has a Tunnel of its own.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "village/crypto/secret.hpp"
#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/service/connection_places.hpp"
#include "village/service/stream_service.hpp"
#include "village/service/ticket_desk.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::net {
class Listener;
}

namespace village::service {

/// StreamStatus is one stream of a session.
struct StreamStatus {
  htx::StreamStatistics counts;
  Duration age{0};
};

/// SessionStatus is one row of `villaged status`.
struct SessionStatus {
  std::string peer;  ///< configured name
  std::string node;  ///< bn1: name
  bool inbound = false;
  std::string
      state;  ///< "connected", "retiring", "closing"; without a session: "connecting", "waiting", "idle"
  Outer outer = Outer::none;
  int suite = 0;
  std::size_t core = 0;
  htx::Statistics statistics;
  std::vector<StreamStatus> streams;  ///< the busiest, at most tunnel_status_streams_max
  Duration age{0};
  Duration key_age{0};
  std::string last_error;  ///< "" = none
};

/// TunnelCounts are what the tunnels of all cores of one node share: the places taken of limits "over all
/// cores".
struct TunnelCounts {
  std::atomic<std::uint32_t> inbound_sessions{0};  ///< accepted connections, from accept to the end
  std::atomic<std::uint32_t> handshakes{0};        ///< those whose handshake is not finished
  std::atomic<std::uint32_t> udp_associations{0};  ///< of peers, at the exit
  std::atomic<std::uint32_t> strangers{0};         ///< connections that the decoy serves
  AddressShares handshake_shares, stranger_shares;
  AddressShares handshake_wide_shares{wide_network};
  PeerShares udp_shares;  ///< of udp_associations

  /// resumption is the keys of TLS session tickets: strangers may resume on any core.
  std::shared_ptr<const crypto::Secret<80>> resumption() const { return resumption_; }

 private:
  static std::shared_ptr<const crypto::Secret<80>> fresh();
  std::shared_ptr<const crypto::Secret<80>> resumption_ = fresh();
};

/// Tunnel lives on one core: every call on that core's thread. Before it dies drain() must have ended (unless
/// serve() and dial() were never called).
class Tunnel {
 public:
  /// `exit` opens the targets of peers' streams (a TcpDialer with the exit's address policy); it outlives the
  /// Tunnel. `counts` is the same object for all cores of a node; nullptr = this is the only core. `desk`
  /// judges access tickets for all cores; nullptr = listeners ask for none.
  Tunnel(net::Core& core, std::shared_ptr<const TunnelOptions> options, net::Dialer& exit,
         std::shared_ptr<TunnelCounts> counts = nullptr, std::shared_ptr<TicketDesk> desk = nullptr);
  ~Tunnel();

  /// serve accepts peers on this core's part of a listener until drain(); `index` is the entry of
  /// options.listen. The listener is shared by the tunnels of all cores. With outer tls reads certificate and
  /// key. Errors: bad_certificate, bad_key, io (a file cannot be read; detail = errno), bad_argument (no such
  /// index).
  Result<void> serve(std::shared_ptr<net::Listener> listener, std::size_t index);
  /// dialer gives the way through peer `name`; nullptr if there is no such peer or it has no address. Lives
  /// as long as the Tunnel; after a reload that removes the peer its dial() fails with not_found.
  net::Dialer* dialer(std::string_view name);
  /// use_service serves streams that peers open with the byte `service`, from now on. Not tcp, not udp. What
  /// `with` calls outlives the tunnel's drain().
  void use_service(htx::Service service, StreamService with);
  /// open opens a stream of `service` to peer `name`, connecting if need be. Errors: as net::Dialer::dial,
  /// not_found (no such peer, or it has no address).
  net::Task<std::shared_ptr<TunnelStream>> open(std::string name, htx::Service service, Instant deadline);
  /// reload applies changed options: new peers work, removed peers' sessions end, untouched sessions go on. A
  /// peer whose address, outer, pin or suites changed gets its next session by the new ones; the old one ends
  /// with its last stream. Certificates are read again; one that cannot be used is logged, and the old one
  /// stays. Listening addresses and the identity need a restart.
  void reload(std::shared_ptr<const TunnelOptions> options);
  /// drain stops accepting sessions and streams, waits for open streams until `deadline`, then closes with
  /// CLOSE, and ends everything (2 s later at most). Dials fail with `cancelled` from its start. Errors:
  /// timed_out if streams were cut off.
  net::Task<void> drain(Instant deadline);
  std::vector<SessionStatus> status() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::service
