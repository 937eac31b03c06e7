#pragma once
// MixNode: a node's part in a mixnet, on all cores: worker and links of each core, keys by epoch, the
// directory, own loops, the mailboxes of a gateway, the sender and recipient of a client.
//
//   control (core 0):  MixEpochs, directory, loops, mailboxes, client
//   each core:         MixCore (worker, links, neighbours' streams, clients' sessions)
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "village/mix/topology.hpp"
#include "village/net/core.hpp"
#include "village/net/listener.hpp"
#include "village/service/mix_options.hpp"
#include "village/service/mix_status.hpp"
#include "village/service/tunnel.hpp"

namespace village::service {

class MixClientService;

/// MixEnd is what the mixnet uses of one core.
struct MixEnd {
  net::Core* core = nullptr;
  Tunnel* tunnel = nullptr;
};

/// MixNode's calls belong to the thread of core 0, but for the constructor and open(), which come before the
/// cores turn. drain() must have ended before it dies, and the cores must have stopped.
class MixNode {
 public:
  struct Setup {
    std::vector<MixEnd> ends;  ///< one for each core; outlive the node
    std::shared_ptr<const MixOptions> options;
    std::vector<TunnelPeer> peers;                      ///< of the configuration
    Target address{Ipv4Address{}, 0};                   ///< where others dial us, as bound
    std::shared_ptr<net::Listener> authority_listener;  ///< role authority: its HTTP port; null = none
    std::string software;                               ///< for the directory
    /// use_peers gives the tunnels of all cores the nodes of the directory as peers, beside the configured
    /// ones.
    std::function<void(std::vector<TunnelPeer>)> use_peers;
  };
  explicit MixNode(Setup setup);
  ~MixNode();

  /// open makes folder and keys. Returns a sentence for the operator; empty = fine.
  std::string open();
  /// start begins to serve.
  void start();
  /// reload takes over changed peers of the configuration.
  void reload(std::vector<TunnelPeer> peers);
  /// drain takes no more packets, lets those that are held leave until `deadline`, and counts what is left.
  boost::asio::awaitable<void> drain(Instant deadline);

  /// describe is what the node says of itself to the authorities. Errors: bad_argument (its address is a
  /// name).
  Result<mix::SignedDescriptor> describe(mix::Epoch epoch);
  net::Task<MixStatus> status();
  /// client is the sender and recipient; nullptr without the role.
  MixClientService* client();
  /// use_views takes documents' views in place of the directory's (tests, benchmarks).
  void use_views(std::vector<std::shared_ptr<const mix::MixView>> views);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// mix_reply is how programs use the client of a node: see control::MixHooks.
net::Task<std::string> mix_send(MixNode& node, MixOutgoing out);
net::Task<std::vector<MixIncoming>> mix_receive(MixNode& node, std::uint64_t after, Duration wait);
MixFate mix_fate(MixNode& node, const std::string& id);
net::Task<Duration> mix_ping(MixNode& node, Duration within);

}  // namespace village::service
