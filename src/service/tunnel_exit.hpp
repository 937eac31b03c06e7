#pragma once
// Serving a stream that a peer opened: header, target, status, relay.
#include <memory>

#include "service/tunnel_context.hpp"
#include "service/tunnel_stream.hpp"

namespace village::service {

/// serve_stream runs one stream of a peer to its end. `may_exit` tells whether this peer may reach targets
/// from here.
boost::asio::awaitable<void> serve_stream(TunnelContext& context, std::shared_ptr<TunnelStream> stream,
                                          bool may_exit);

}  // namespace village::service
