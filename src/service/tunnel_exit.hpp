#pragma once
// Serving a stream that a peer opened: header, target, status, relay.
#include <memory>

#include "service/tunnel_context.hpp"
#include "service/tunnel_stream.hpp"

namespace village::service {

/// StreamOrigin is who opened a stream, and whether this peer may reach targets from here.
struct StreamOrigin {
  crypto::Ed25519Public peer{};
  bool may_exit = false;
};

/// serve_stream runs one stream of a peer to its end: by the service it asks for, or to a target outside.
boost::asio::awaitable<void> serve_stream(TunnelContext& context, std::shared_ptr<TunnelStream> stream,
                                          StreamOrigin origin);

}  // namespace village::service
