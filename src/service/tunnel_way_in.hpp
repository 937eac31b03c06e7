#pragma once
// The way into an HTX session: what happens on a fresh connection until frames may flow.
//
//   tls (outer tls only) -> ticket (upgrade, 101) -> noise -> session
//
// Both ends fail without a word, and the reason is counted on this side only. What a server with tickets does
// before Noise is TunnelReception's.
#include <memory>

#include "village/base/bytes.hpp"
#include "village/htx/handshake.hpp"
#include "village/htx/shape.hpp"
#include "village/htx/ticket_policy.hpp"
#include "village/net/core.hpp"
#include "village/net/tcp.hpp"
#include "village/net/tls.hpp"
#include "village/proxy/upgrade.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::service {

enum class WayInStep : std::uint8_t { tls, noise };

/// WayIn is what comes out: the stream below the frames, the keys, bytes that followed the handshake, and the
/// time from one of our Noise messages to its answer.
struct WayIn {
  net::StreamPtr stream;
  htx::SessionKeys keys;
  Bytes early;
  Duration rtt{0};
};

/// ServerWayIn is the responder's part; `tls` is null with outer none.
struct ServerWayIn {
  std::shared_ptr<const crypto::Ed25519KeyPair> identity;
  std::shared_ptr<net::TlsServerContext> tls;
  std::vector<htx::Suite> suites;
};
/// enter_as_server takes an accepted connection through the steps; `step` tells how far it came. Errors:
/// timed_out at `deadline`, however slowly bytes trickle; auth_failed, malformed, version, those of
/// TlsStream::accept.
net::Task<WayIn> enter_as_server(net::Core& core, net::StreamPtr socket, ServerWayIn settings,
                                 Instant deadline, WayInStep& step);

/// ServerNoise is a WayIn without its stream.
struct ServerNoise {
  htx::SessionKeys keys;
  Bytes early;
  Duration rtt{0};
};
/// noise_as_server runs Noise on `stream`, which lives on whatever comes of it; `tls` is the stream itself if
/// it is one, for the exporter. Errors as enter_as_server.
net::Task<ServerNoise> noise_as_server(net::Core& core, net::Stream& stream, const net::TlsStream* tls,
                                       ServerWayIn settings, Instant deadline);

/// ClientPass is how a client asks for a way in: the browser it looks like and where its ticket rides.
struct ClientPass {
  htx::TicketPolicy policy;
  proxy::UpgradeProfile profile = proxy::UpgradeProfile::chrome;
  std::shared_ptr<const htx::Shape> shape{};  ///< pads the proof of identity; null = no padding
};

/// enter_as_client dials `peer` and goes through the steps. Errors: those of TcpDialer and
/// TlsStream::connect; denied (detail = HTTP status) when it answers like a web server: the ticket was
/// refused, or it is no villaged; auth_failed when the peer hangs up in the handshake (wrong key, or we are
/// not on its list); timed_out.
net::Task<WayIn> enter_as_client(net::Core& core, net::TcpDialer& dialer,
                                 std::shared_ptr<net::TlsClientContext> tls,
                                 std::shared_ptr<const crypto::Ed25519KeyPair> identity, TunnelPeer peer,
                                 Instant deadline, ClientPass pass = {});

/// allowed_suites is what `peer` lists, without classical suites where the node requires post-quantum ones.
std::vector<htx::Suite> allowed_suites(const TunnelOptions& options, const TunnelPeer& peer);

/// choose_suite takes the first suite whose AEAD this CPU does fast, else the first; a hybrid at the head of
/// the list is never passed over for a classical suite. Suites this build cannot speak are passed over.
/// Errors: unsupported if none is left.
Result<htx::Suite> choose_suite(const std::vector<htx::Suite>& offered, bool aes_is_fast);

}  // namespace village::service
