#include "daemon/reload.hpp"

#include <algorithm>
#include <utility>

namespace village::daemon {
namespace {

void keep_peer_listeners(const std::vector<service::TunnelListen>& started,
                         std::vector<service::TunnelListen>& changed) {
  auto kept = started;
  for (std::size_t i = 0; i < std::min(kept.size(), changed.size()); ++i) {
    kept[i].certificate_pem_path = changed[i].certificate_pem_path;
    kept[i].key_pem_path = changed[i].key_pem_path;
  }
  changed = std::move(kept);
}

void keep_inbounds(const std::vector<service::GatewayInbound>& started,
                   std::vector<service::GatewayInbound>& changed) {
  auto kept = started;
  for (auto& inbound : kept) {
    const auto same = std::find_if(changed.begin(), changed.end(),
                                   [&](const auto& candidate) { return candidate.name == inbound.name; });
    if (same == changed.end()) continue;
    inbound.users = same->users;
    inbound.udp = same->udp;
  }
  changed = std::move(kept);
}

}  // namespace

std::vector<std::string> files_of(const control::Config& config) {
  std::vector<std::string> files{config.path, config.node.identity_path};
  for (const auto& listen : config.htx.listen) {
    files.push_back(listen.certificate_pem_path);
    files.push_back(listen.key_pem_path);
  }
  if (config.htx.shape.find('/') != std::string::npos) files.push_back(config.htx.shape);
  files.push_back(config.htx.decoy.directory);
  std::erase(files, "");
  return files;
}

control::Config keep_restart_values(const control::Config& started, control::Config changed) {
  changed.path = started.path;
  changed.node = started.node;
  changed.net = started.net;
  const auto drain_timeout = changed.control.drain_timeout;
  changed.control = started.control;
  changed.control.drain_timeout = drain_timeout;
  changed.daemon = started.daemon;
  changed.log.json = started.log.json;
  changed.htx.identity = started.htx.identity;
  changed.htx.tickets.use = started.htx.tickets.use;
  changed.htx.tickets.key_path = started.htx.tickets.key_path;
  changed.htx.tickets.replay_path = started.htx.tickets.replay_path;
  changed.mix = started.mix;
  keep_peer_listeners(started.htx.listen, changed.htx.listen);
  keep_inbounds(started.proxy.inbounds, changed.proxy.inbounds);
  return changed;
}

}  // namespace village::daemon
