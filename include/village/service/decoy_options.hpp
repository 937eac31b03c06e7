#pragma once
// What the operator can say about the decoy: what strangers on our TLS port see (config section `htx.decoy`).
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "village/base/target.hpp"
#include "village/base/time.hpp"

namespace village::service {

struct DecoyOptions {
  std::optional<Target> origin;     ///< web server, HTTP/1.1 in clear: gets strangers' bytes as they come
  std::optional<Target> origin_h2;  ///< the same for HTTP/2 in clear; set = ALPN offers h2
  std::optional<Target>
      origin_plain;       ///< gets connections that do not begin with TLS; none = they are closed
  std::string directory;  ///< without an origin: files to show; empty = nothing, an empty site
  std::uint32_t connections_max = 4'096;               ///< strangers' connections at once, over all cores
  std::uint32_t connections_share_max = 1'024;         ///< of those, from one /24 or /56
  std::uint32_t handshakes_share_max = 250;            ///< of handshakes_max, by one /24 or /56
  Duration tls_timeout = std::chrono::seconds{60};     ///< for a TLS handshake; nginx: client_header_timeout
  Duration silent_timeout = std::chrono::seconds{60};  ///< after a 101 that nothing valid follows
  Duration connection_timeout = std::chrono::hours{24};  ///< hard end of a stranger's connection

  friend bool operator==(const DecoyOptions&, const DecoyOptions&) = default;
};

}  // namespace village::service
