#pragma once
// Peer URI: one line that invites a node to dial this one. Source: docs/protocols/htx.md, "Peers".
//
//   htx://<base64url Ed25519>@host:port?outer=tls&pin=<base64url SHA-256 of SPKI>&suites=5,3&name=berlin
#include <optional>
#include <string>
#include <string_view>

#include "village/service/tunnel_options.hpp"

namespace village::control {

/// parse_peer_uri reads an invitation; otherwise nothing, and `problem` says what is wrong. Suites that this
/// build does not speak are left out. The result has an address; its name is "" if the invitation has none.
std::optional<service::TunnelPeer> parse_peer_uri(std::string_view text, std::string& problem);

/// peer_uri writes the invitation of a peer that has an address.
std::string peer_uri(const service::TunnelPeer& peer);

}  // namespace village::control
