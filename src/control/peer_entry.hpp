#pragma once
// Peers as entries of htx.peers, and the commands that make them.
#include <string>

#include "control/json.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::control {

/// peer_entry is a peer as it stands in htx.peers.
Json peer_entry(const service::TunnelPeer& peer);

/// admit_command is what somebody types on an exit to let the node with this key in.
std::string admit_command(const crypto::Ed25519Public& key, const std::string& name);

}  // namespace village::control
