#pragma once
// What the operator can say about the HTX tunnel (config section `htx`). Values are parsed and checked by
// `control`.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "village/base/target.hpp"
#include "village/base/time.hpp"
#include "village/crypto/certificate.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/htx/access_ticket.hpp"
#include "village/htx/session.hpp"
#include "village/proxy/upgrade.hpp"
#include "village/service/decoy_options.hpp"
#include "village/service/ticket_options.hpp"
#include "village/wire/node_id.hpp"

namespace village::service {

enum class Outer : std::uint8_t { none, tls };

/// TunnelListen is one address where peers may come in.
struct TunnelListen {
  Target address;  ///< literal address; port 0 = any (tests)
  Outer outer = Outer::tls;
  std::string certificate_pem_path;  ///< outer tls only; reread on reload
  std::string key_pem_path;
};

/// TunnelPeer is one node this node may dial (address set) and/or accept (allow_inbound).
struct TunnelPeer {
  std::string name;  ///< the operator's word, unique: [a-z0-9-]{1,63}
  crypto::Ed25519Public key{};
  std::optional<Target> address;  ///< where to dial; none = inbound only
  Outer outer = Outer::tls;
  std::optional<crypto::SpkiPin>
      pin;  ///< outer tls: SHA-256 of the server's SPKI; none = verify by host name
  std::vector<htx::Suite> suites{htx::Suite::xkhfs_aesgcm_sha256, htx::Suite::xkhfs_chacha_sha256};
  std::optional<htx::TicketPublic>
      ticket;                   ///< outer tls: makes the tickets that let us in; none = shows none
  proxy::UpgradePlace upgrade;  ///< outer tls: the path and cookie by which it knows a way in
  bool allow_inbound = false;   ///< on the allow-list of our listeners
  bool may_exit = true;         ///< its streams may leave from here, if the exit is on
};

/// ExitOptions say which targets streams of peers may reach from here.
struct ExitOptions {
  bool enabled = false;                            ///< role exit
  bool allow_private = false;                      ///< loopback, link-local and private addresses
  std::uint32_t udp_associations_max = 1'024;      ///< of peers, over all cores; 0 = no UDP
  std::uint32_t udp_associations_share_max = 256;  ///< of one peer; see udp_share()

  /// udp_share is what one peer may have: never the last quarter of all, whatever the share says.
  std::uint32_t udp_share() const {
    return std::min(udp_associations_share_max, udp_associations_max - udp_associations_max / 4);
  }
};

struct TunnelOptions {
  std::shared_ptr<const crypto::Ed25519KeyPair> identity;
  std::vector<TunnelListen> listen;
  std::vector<TunnelPeer> peers;
  bool require_pq = false;  ///< no session by a suite without ML-KEM, whatever a peer's entry lists
  ExitOptions exit;
  TicketOptions tickets;
  htx::Settings session;                  ///< chunk, windows, ping, key update, traffic shape
  std::string shape = "nginx-websocket";  ///< of outer tls: a name or a file; `control` makes session.shape
  proxy::UpgradePlace upgrade;            ///< outer tls: how peers ask for a way in
  DecoyOptions decoy;                     ///< outer tls: what strangers see
  std::uint32_t inbound_sessions_max = 10'000;  ///< over all cores
  std::uint32_t handshakes_max = 1'000;         ///< unfinished handshakes over all cores
  Duration handshake_timeout = std::chrono::seconds{10};
  Duration dial_timeout = std::chrono::seconds{10};
  Duration backoff_min =
      std::chrono::milliseconds{500};  ///< reconnect: full jitter over [0, min * 2^n], capped
  Duration backoff_max = std::chrono::seconds{120};
  Duration idle_timeout =
      std::chrono::minutes{10};  ///< a session without streams for so long is closed by its dialer
};

/// asks_tickets tells whether a listener of this node takes tickets.
inline bool asks_tickets(const TunnelOptions& options) {
  if (options.tickets.use != TicketUse::required) return false;
  for (const auto& listen : options.listen) {
    if (listen.outer == Outer::tls) return true;
  }
  return false;
}

}  // namespace village::service
