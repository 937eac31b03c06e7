#include "control/peer_entry.hpp"

#include "village/service/ticket_keyring.hpp"
#include "village/wire/base64.hpp"

namespace village::control {

Json peer_entry(const service::TunnelPeer& peer) {
  Json entry{{"name", peer.name}, {"key", wire::base64url(peer.key)}};
  if (peer.address) {
    entry["address"] = to_text(*peer.address);
    entry["outer"] = peer.outer == service::Outer::tls ? "tls" : "none";
    if (peer.pin) entry["pin"] = wire::base64url(*peer.pin);
    if (peer.ticket) entry["ticket"] = service::ticket_text(*peer.ticket);
    const proxy::UpgradePlace usual;
    if (peer.upgrade.path != usual.path) entry["upgrade"]["path"] = peer.upgrade.path;
    if (peer.upgrade.cookie != usual.cookie) entry["upgrade"]["cookie"] = peer.upgrade.cookie;
    entry["suites"] = Json::array();
    for (const auto suite : peer.suites) entry["suites"].push_back(static_cast<int>(suite));
  }
  if (peer.allow_inbound) entry["inbound"] = true;
  return entry;
}

std::string admit_command(const crypto::Ed25519Public& key, const std::string& name) {
  return "villaged peer add --inbound " + wire::base64url(key) + " --name " + name;
}

}  // namespace village::control
