#pragma once
// The TLS of our listeners.
#include <memory>

#include "village/net/tls.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::service {

/// ListenerTlsStyle says what strangers take us for.
struct ListenerTlsStyle {
  bool as_web_server = false;                            ///< Debian's nginx; else what only peers need
  bool http2 = false;                                    ///< as a web server: h2 is offered
  std::shared_ptr<const crypto::Secret<80>> resumption;  ///< as a web server: one set of keys for all cores
};

/// make_listener_tls reads certificate and key. Errors: io (detail = errno), bad_certificate, bad_key.
Result<std::shared_ptr<net::TlsServerContext>> make_listener_tls(const TunnelListen& listen,
                                                                 ListenerTlsStyle style);

}  // namespace village::service
