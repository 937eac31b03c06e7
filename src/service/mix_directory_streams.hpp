#pragma once
// The directory over HTX: streams of service `mix` that carry one HTTP request (docs/protocols/mix.md 3.6).
#include <memory>
#include <string>

#include "village/net/address.hpp"
#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/service/tunnel.hpp"

namespace village::service {

/// is_directory_request tells by the first byte of a stream of service `mix` that it is neither a link's nor
/// a client's: an HTTP method.
constexpr bool is_directory_request(std::byte first) {
  return first == std::byte{'G'} || first == std::byte{'P'};
}

/// StreamElsewhere is a stream that lives on another core than its user. The buffers of an operation are the
/// user's, who waits for it.
class StreamElsewhere final : public net::Stream {
 public:
  /// `at` is the stream's core; nullptr = it is the user's own.
  StreamElsewhere(std::shared_ptr<net::Stream> stream, net::Core* at);
  ~StreamElsewhere() override;
  net::Task<std::size_t> read_some(ByteSpan out) override;
  net::Task<void> write_all(ByteView in) override;
  net::Task<void> shutdown_write() override;
  void close() noexcept override;

 private:
  std::shared_ptr<net::Stream> stream_;
  net::Core* at_;
};

/// MixStreamDialer opens streams of service `mix` to one peer, whatever the target. On the tunnel's core.
class MixStreamDialer final : public net::Dialer {
 public:
  /// `tunnel` outlives it.
  MixStreamDialer(Tunnel& tunnel, std::string peer) : tunnel_{tunnel}, peer_{std::move(peer)} {}
  net::Task<net::StreamPtr> dial(Target target, Instant deadline) override;
  const std::string& peer() const { return peer_; }

 private:
  Tunnel& tunnel_;
  const std::string peer_;
};

/// network_of_peer stands for a peer where requests are counted by networks: each has one of its own
/// (fd00::/8 and the first bytes of its node id), whatever its address.
net::Ip network_of_peer(const crypto::Ed25519Public& peer);

}  // namespace village::service
