#pragma once
// MixDirectory: a node's view of the mixnet's directory, kept up to date from the authorities over HTTP.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "village/mix/descriptor.hpp"
#include "village/mix/topology.hpp"
#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/service/mix_options.hpp"

namespace village::service {

/// MixHtxWay gives the way by HTX to an authority that is a peer of this node: a dialer of streams of service
/// `mix`, whatever the target, that lives as long as the node. nullptr: there is no such peer. On the core.
using MixHtxWay = std::function<net::Dialer*(const crypto::Ed25519Public& authority)>;

/// MixDirectorySettings is what a MixDirectory needs of the options.
struct MixDirectorySettings {
  std::vector<MixAuthorityEntry> authorities;
  std::uint32_t threshold = 1;
  mix::Epochs epochs;
  std::string folder;  ///< where documents and seen.json are kept; "" = in memory only
  Duration exchange_timeout =
      std::chrono::seconds{10};  ///< of one request; never more than a tenth of an epoch
  MixHtxWay htx{};               ///< for authorities that are peers of ours; empty = all are asked by HTTP
};

/// MixViews are the documents of the epochs around a moment. null: there is none. A node without `current`
/// forwards nothing.
struct MixViews {
  std::shared_ptr<const mix::MixView> previous, current, next;
  /// of gives that of an epoch, null if it is none of the three.
  const mix::MixView* of(mix::Epoch epoch) const;
};

struct MixDirectoryStatus {
  mix::Epoch epoch = 0;                ///< by the clock
  bool current = false, next = false;  ///< documents at hand
  std::size_t nodes = 0;               ///< of the current document
  std::size_t published_to = 0;        ///< authorities that have our newest descriptor
  /// clock_skew: how far the authorities' clocks are ahead of ours, the middle of those that answered (median
  /// of the last answer of each). More than a tenth of an epoch is a problem.
  Duration clock_skew{0};
  std::string problem;  ///< one sentence, "" = fine
};

/// MixDirectory belongs to one core; views() and status() may be asked from any thread.
///
/// It loads what it kept (so that a restart works without the authorities), then, in each epoch e:
/// * fetches the document of e at once if it has none;
/// * publishes its own descriptor, at once after the start, then at a random moment between a tenth and half
/// of
///   the epoch (not before the overlap is over, so that VRF proofs of e - 1 can go with it);
/// * fetches the document of e + 1 at a random moment of the last tenth, when authorities have published it.
/// What fails is tried again at another authority, after a random pause of L/80 to L/20. A document counts
/// when t of n signed it, its dates fit, and it takes nothing back that was seen (mix::SeenDirectory).
class MixDirectory {
 public:
  /// Describe makes the descriptor to be published in an epoch: Sphinx keys for that epoch and the two behind
  /// it, and a sequence number higher than all before (the wall clock in milliseconds will do). On the core.
  using Describe = std::function<Result<mix::SignedDescriptor>(mix::Epoch epoch)>;
  /// Changed is told of new views: a new epoch, a new document. On the core.
  using Changed = std::function<void(const MixViews&)>;

  /// `core` and `dialer` must outlive it. Takes valid settings (mix::check of what authorities() makes of
  /// them).
  MixDirectory(net::Core& core, net::Dialer& dialer, MixDirectorySettings settings);
  ~MixDirectory();
  MixDirectory(const MixDirectory&) = delete;
  MixDirectory& operator=(const MixDirectory&) = delete;

  /// describe_by and on_change are set before run(). A client describes nothing.
  void describe_by(Describe describe);
  void on_change(Changed changed);
  /// run works until it is cancelled; spawn it in a nursery. The views that were kept on disk are there
  /// before it first waits.
  net::asio::awaitable<void> run();
  /// publish_soon publishes the descriptor anew within a moment (a key or an address has changed).
  void publish_soon();
  /// wait_current waits until there is a document of the epoch. Errors: timed_out, cancelled.
  net::Task<std::shared_ptr<const mix::MixView>> wait_current(Instant deadline);

  MixViews views() const;
  MixDirectoryStatus status() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// authority_set is the keys and the threshold of configured authorities.
mix::AuthoritySet authority_set(const std::vector<MixAuthorityEntry>& authorities, std::uint32_t threshold);

/// fetch_document asks one authority for a document; nothing of it is verified but its form. For the command
/// line. Errors: those of dialling; not_found (it has none), refused (another status; detail = status),
/// malformed and the others of mix::parse_signed_document.
net::Task<mix::SignedDocument> fetch_document(net::Core& core, net::Dialer& dialer, Target authority,
                                              mix::Epoch epoch, Instant deadline);
/// The same, by HTX if the authority is a peer of ours.
net::Task<mix::SignedDocument> fetch_document(net::Core& core, net::Dialer& dialer, MixHtxWay htx,
                                              MixAuthorityEntry authority, mix::Epoch epoch,
                                              Instant deadline);

}  // namespace village::service
