#pragma once
// MixCore: what one core does for the mixnet: its worker, the links it sends on, the streams it receives on.
//
//   neighbours' streams -> frames -> worker -> released -> MixLink of the next hop
//   clients' streams, own cover ---------------------/   \-> delivered -> the node (mailboxes, own loops)
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "service/mix_link.hpp"
#include "service/mix_neighbours.hpp"
#include "village/mix/worker.hpp"
#include "village/service/mix_options.hpp"

namespace village::service {

/// MixTotals are what one core counted. Times of the links that are gone are in it.
struct MixTotals {
  mix::WorkerCounters worker;
  MixLinkCounts links;
  std::size_t links_known = 0, links_open = 0, held = 0, in_flight = 0;
  std::uint64_t injected = 0;       ///< packets of our own and of clients
  std::uint64_t injected_lost = 0;  ///< no such next hop, or its queue was full
  std::uint64_t strangers = 0;      ///< streams of peers that are neither neighbours nor clients
  bool replay_closed = false;
};

/// MixCore lives on one core. drain() must have ended before it dies.
class MixCore final : private FrameOwner {
 public:
  struct Hooks {
    /// delivered takes a payload whose last hop this node is; its views die with the call.
    std::function<void(const mix::Delivered&)> delivered;
    /// wake makes the workers of a set run.
    std::function<void(std::uint64_t workers)> wake;
    /// client serves the stream of one of our clients.
    std::function<boost::asio::awaitable<void>(MixCore&, crypto::Ed25519Public,
                                               std::shared_ptr<TunnelStream>)>
        client;
    std::function<bool(const crypto::Ed25519Public&)> is_client;
    /// directory answers a request to this node's authority, of whoever may come in; empty = it is none.
    std::function<boost::asio::awaitable<void>(net::Core&, crypto::Ed25519Public,
                                               std::shared_ptr<TunnelStream>)>
        directory;
  };
  /// All references outlive it. `worker` is its number in the mesh.
  MixCore(net::Core& core, Tunnel& tunnel, const MixOptions& options, mix::WorkerMesh& mesh,
          std::uint32_t worker, Hooks hooks);
  ~MixCore();

  /// start serves streams and runs the worker.
  void start();
  boost::asio::awaitable<void> drain(Instant deadline);

  void set_neighbours(std::shared_ptr<const MixNeighbours> neighbours);
  void set_delays(const mix::DelayRules& rules) { worker_.set_delays(rules); }
  Result<void> install(mix::EpochKeysPtr keys, std::unique_ptr<mix::ReplayShard> replay) {
    return worker_.install(std::move(keys), std::move(replay));
  }
  void remove(mix::Epoch epoch) { worker_.remove(epoch); }

  /// inject sends a packet of our own or of a client to its first hop, which may be this node. false: there
  /// is no way to it, or its link is stuck.
  bool inject(const sphinx::NodeAddress& first, std::byte rotation, ByteView packet);
  /// run lets the worker work; for wake.
  void run() { work(); }
  MixTotals totals() const;
  net::Core& core() { return core_; }

 private:
  class FrameIntake;
  void sent(mix::HeldPacket packet) override { worker_.done(packet); }
  void dropped(mix::HeldPacket packet, mix::Drop reason) override { worker_.drop(packet, reason); }

  boost::asio::awaitable<void> serve(crypto::Ed25519Public peer, std::shared_ptr<TunnelStream> stream);
  boost::asio::awaitable<void> serve_neighbour(mix::NeighbourIndex index,
                                               std::shared_ptr<TunnelStream> stream);
  boost::asio::awaitable<void> timer_loop();
  void work();
  bool inject_here(std::byte rotation, ByteView packet);
  void forward(const mix::Released& packet);
  MixLink* link(mix::NeighbourIndex index);
  void retire(mix::NeighbourIndex index);
  void close_idle_links();
  void count();
  Instant now() const { return core_.clock().now(); }

  net::Core& core_;
  Tunnel& tunnel_;
  const MixOptions& options_;
  const mix::Profile profile_;
  Hooks hooks_;
  std::unique_ptr<RandomSource> random_;
  mix::Worker worker_;
  std::shared_ptr<const MixNeighbours> neighbours_;
  std::set<std::shared_ptr<TunnelStream>> streams_;  ///< of neighbours and clients, open
  std::vector<std::unique_ptr<MixLink>> links_;      ///< by neighbour; null = not needed yet
  Bytes frame_;                                      ///< one, being written
  Instant armed_ = Instant::min();
  Instant count_at_ = Instant::min(), idle_at_ = Instant::min();
  MixTotals gone_, counted_;
  bool stopping_ = false;
  net::Event timer_changed_, drained_;
  net::Nursery tasks_;
};

/// worker_options is what `options` mean to one of `cores` workers.
mix::WorkerOptions worker_options(const MixOptions& options, std::size_t cores);
mix::Profile profile_of(MixProfile profile);

}  // namespace village::service
