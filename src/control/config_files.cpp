// The files that a configuration names: identity, certificates.
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "control/config_check.hpp"
#include "control/files.hpp"
#include "control/identity.hpp"
#include "control/traffic_shape.hpp"
#include "village/crypto/certificate.hpp"
#include "village/service/ticket_keyring.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

constexpr std::size_t pem_bytes_max = 256 * 1024;
constexpr auto expiry_warning = std::chrono::days{14};

WallTime wall_now() {
  return WallTime{std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
}

bool others_can_read(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0;
}

void check_certificate(const service::TunnelListen& listen, const std::string& pointer,
                       const Document& document, Problems& problems) {
  const auto error = [&](const std::string& key, std::string message) {
    problems.error(document.closest(pointer + key).begin, pointer + key, std::move(message));
  };
  const auto warning = [&](const std::string& key, std::string message) {
    problems.warning(document.closest(pointer + key).begin, pointer + key, std::move(message));
  };
  std::string problem;
  if (const auto pem = read_file(listen.certificate_pem_path, pem_bytes_max, problem); !pem) {
    error("/certificate", problem);
  } else if (const auto expiry = crypto::not_after(*pem); !expiry) {
    error("/certificate", listen.certificate_pem_path + " holds no certificate in PEM");
  } else if (*expiry <= wall_now()) {
    warning("/certificate", "the certificate has expired; peers that verify by name refuse it");
  } else if (*expiry <= wall_now() + expiry_warning) {
    warning("/certificate", "the certificate expires within two weeks");
  }
  if (auto key = read_file(listen.key_pem_path, pem_bytes_max, problem); !key) {
    error("/key", problem);
  } else {
    if (key->find("PRIVATE KEY-----") == std::string::npos)
      error("/key", listen.key_pem_path + " holds no private key in PEM");
    crypto::wipe({reinterpret_cast<std::byte*>(key->data()), key->size()});
    if (others_can_read(listen.key_pem_path)) {
      warning("/key", listen.key_pem_path + " can be read by others than its owner; chmod 600 it");
    }
  }
}

/// A key file that is not there is made at start.
void check_ticket_keys(const service::TunnelOptions& options, const Document& document, Problems& problems) {
  if (!service::asks_tickets(options)) return;
  const auto& path = options.tickets.key_path;
  const auto read = service::TicketKeyring::read(path);
  if (read || read.error() == fail(Errc::io, ENOENT)) return;
  const auto error = read.error();
  const auto message =
      error.code == Errc::denied ? path + " can be read by others than its owner; chmod 600 it"
      : error.code == Errc::io
          ? "cannot read " + path + ": " + std::generic_category().message(static_cast<int>(error.detail))
          : path + " holds no ticket keys (line " + std::to_string(error.detail) +
                "); move it away, and the node makes new ones";
  problems.error(document.closest("/htx/tickets/keys").begin, "/htx/tickets/keys", message);
}

/// An authority that the others do not know would sign for nobody.
void check_authority(const Config& config, const Document& document, Problems& problems) {
  const auto& list = config.mix.directory.authorities;
  if (!config.mix.has(service::MixRole::authority) || list.empty()) return;
  for (const auto& entry : list) {
    if (entry.key == config.mix.identity->public_key) return;
  }
  const std::string pointer = "/mix/directory/authorities";
  problems.error(document.closest(pointer).begin, pointer,
                 "this node has the role \"authority\", but none of these has its key, " +
                     wire::base64url(config.mix.identity->public_key));
}

bool holds_secrets(const Config& config) {
  if (!config.control.token.empty()) return true;
  for (const auto& inbound : config.proxy.inbounds) {
    if (!inbound.users.empty()) return true;
  }
  return false;
}

}  // namespace

void load_shape(Config& config, const Document& document, bool files, Problems& problems) {
  const auto& name = config.htx.shape;
  config.htx.session.shape.reset();
  if (name == no_shape || (!files && !is_built_in_shape(name))) return;
  const auto outcome = load_traffic_shape(name);
  config.htx.session.shape = outcome.shape;
  for (const auto& error : outcome.errors) {
    problems.error(document.closest("/htx/shape").begin, "/htx/shape", error.text());
  }
}

void check_files(Config& config, const Document& document, Problems& problems) {
  std::string problem;
  if (auto identity = read_identity(config.node.identity_path, problem)) {
    config.htx.identity = std::make_shared<const crypto::Ed25519KeyPair>(*std::move(identity));
    config.mix.identity = config.htx.identity;
    check_authority(config, document, problems);
  } else {
    problems.error(document.closest("/node/identity").begin, "/node/identity", problem);
  }
  for (std::size_t i = 0; i < config.htx.listen.size(); ++i) {
    if (config.htx.listen[i].outer != service::Outer::tls) continue;
    check_certificate(config.htx.listen[i], "/htx/listen/" + std::to_string(i), document, problems);
  }
  check_ticket_keys(config.htx, document, problems);
  for (std::size_t i = 0; i < config.htx.peers.size() && config.htx.identity; ++i) {
    if (config.htx.peers[i].key != config.htx.identity->public_key) continue;
    const auto pointer = "/htx/peers/" + std::to_string(i) + "/key";
    problems.error(document.closest(pointer).begin, pointer,
                   "this is the key of this node itself; a peer is another node");
  }
  if (struct stat status{};
      holds_secrets(config) && ::stat(config.path.c_str(), &status) == 0 && (status.st_mode & 007) != 0) {
    problems.warning(0, {}, "this file holds passwords and everybody can read it; chmod 640 it");
  }
}

}  // namespace village::control
