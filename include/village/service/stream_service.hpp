#pragma once
// StreamService: whoever serves the streams that peers open with one service byte (htx::Service).
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "village/base/bytes.hpp"
#include "village/crypto/ed25519.hpp"

namespace village::service {

class TunnelStream;

/// StreamSink takes a stream's bytes as they come off the wire, in place of a reader; a view dies with the
/// call. The bytes' credit goes back to the peer at once, so a sink bounds what it keeps by itself. flush()
/// comes when no more of what was received together follows. Neither may end the stream.
class StreamSink {
 public:
  virtual void take(ByteView bytes) = 0;
  virtual void flush() {}

 protected:
  ~StreamSink() = default;
};

/// StreamService is called on the core of the tunnel it was given to.
struct StreamService {
  /// admits tells whether this peer's streams are served; others hear not_allowed.
  std::function<bool(const crypto::Ed25519Public& peer)> admits;
  /// serve runs one stream, whose opener has heard `connected`, to its end. It may be cancelled.
  std::function<boost::asio::awaitable<void>(crypto::Ed25519Public peer,
                                             std::shared_ptr<TunnelStream> stream)>
      serve;
};

}  // namespace village::service
