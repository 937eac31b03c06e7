#pragma once
// MixAuthority: one authority of the directory on a core: its HTTP port, and its talk with the others.
//
//   PUT  /mixdir/v1/descriptor         a node's signed descriptor: 200, 4xx
//   GET  /mixdir/v1/document/<epoch>   200 and the signed document, 404
//   POST /mixdir/v1/statement          a vote or reveal of an authority: 200, 403
//   POST /mixdir/v1/signature          signatures of authorities: 200, 403
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "village/mix/authority.hpp"
#include "village/net/address.hpp"
#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/net/listener.hpp"
#include "village/service/mix_directory_limits.hpp"
#include "village/service/mix_options.hpp"

namespace village::service {

struct MixAuthoritySettings {
  std::vector<MixAuthorityEntry> authorities;  ///< all of them, this one too
  std::uint32_t threshold = 1;
  mix::Epochs epochs;
  /// parameters it votes for. For networks on one machine distinct_networks must be false, or no path has two
  /// hops.
  mix::Parameters parameters;
  std::vector<wire::NodeId> admitted;  ///< nodes it lists
  bool open = false;                   ///< others too, within mix::AuthorityOptions::open
  std::string folder;  ///< where authority.json and the documents are kept; "" = in memory only
  std::uint32_t connections_max = limits::mix_http_connections_max;
  std::uint32_t connections_share_max = limits::mix_http_connections_share_max;
  std::uint32_t request_burst = 240;                         ///< requests in a row from one /24 or /56
  Duration request_refill = std::chrono::milliseconds{100};  ///< time for one more
  Duration request_timeout = std::chrono::seconds{10};       ///< of one connection
};

struct MixAuthorityStatus {
  std::size_t descriptors = 0;  ///< nodes known
  mix::Epoch published = 0;     ///< newest epoch with a document, 0 = none
  std::uint64_t turns = 0;      ///< how often it looked at the clock
  std::size_t posts = 0;        ///< messages to other authorities under way, at the last turn
  std::vector<mix::AuthorityReport> last_reports;  ///< the newest 16, oldest first
};

/// MixAuthority belongs to one core; status() may be asked from any thread.
class MixAuthority {
 public:
  /// `core` and `dialer` must outlive it; `key` is one of the authorities'. Takes valid settings
  /// (mix::check).
  MixAuthority(net::Core& core, net::Dialer& dialer, MixAuthoritySettings settings,
               const crypto::Ed25519KeyPair& key);
  ~MixAuthority();
  MixAuthority(const MixAuthority&) = delete;
  MixAuthority& operator=(const MixAuthority&) = delete;

  /// serve accepts on this core's socket of `listener` until it is closed or the caller cancelled.
  net::asio::awaitable<void> serve(net::Listener& listener);
  /// connection answers the request of one stream, whatever carries it (an HTX stream, say); `from` is absent
  /// where it has no address: then its places are counted together.
  net::asio::awaitable<void> connection(net::StreamPtr stream, std::optional<net::Ip> from);
  /// run votes, signs and publishes until it is cancelled.
  net::asio::awaitable<void> run();

  MixAuthorityStatus status() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::service
