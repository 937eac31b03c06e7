#pragma once
// A mix node with its HTX links on CPU 0, a generator and a sink on CPU 1, and packets made before.
#include <map>
#include <memory>

#include "support/report.hpp"
#include "village/base/random.hpp"
#include "village/mix/drop.hpp"
#include "village/mix/epoch.hpp"
#include "village/mix/frame.hpp"
#include "village/mix/node_keys.hpp"
#include "village/mix/route_table.hpp"
#include "village/service/mix_options.hpp"

namespace village::bench {

/// RigPackets are distinct 3-hop packets for one node, whose next hop is always the sink. Their delays at
/// the node are exponential.
struct RigPackets {
  RigPackets(std::size_t count, Duration mean_delay);
  std::size_t count() const { return frames.size() / frame_bytes; }
  ByteView frame(std::size_t i) const { return ByteView{frames}.subspan(i * frame_bytes, frame_bytes); }
  /// routes knows the sink as neighbour 1.
  std::shared_ptr<const mix::RouteTable> routes();

  static constexpr std::size_t frame_bytes = mix::frame_bytes(mix::Profile::n2048);
  SeededRandom random{20261121};
  mix::Epochs epochs;
  mix::EpochKeysPtr keys;
  Bytes frames;
  /// Expected are frames that must come out of some of them, by sphinx::unwrap and by their marks.
  using Expected = std::map<std::uint64_t, Bytes>;
  Expected expected;
  /// mark is eight bytes of a frame by which it can be told from the others.
  static std::uint64_t mark(ByteView frame);

 private:
  Bytes unwrapped(ByteView frame) const;
};

/// NodeRig is node, generator and sink, each with a tunnel of its own.
class NodeRig {
 public:
  explicit NodeRig(RigPackets& packets);
  ~NodeRig();
  NodeRig(const NodeRig&) = delete;
  NodeRig& operator=(const NodeRig&) = delete;

  struct Outcome {
    double per_s = 0;                       ///< packets that arrived, by wall time
    double per_cpu_s = 0;                   ///< by CPU time of the node's thread
    double node_cpu = 0;                    ///< CPU time of the node's thread by wall time
    std::uint64_t packets = 0;              ///< that arrived in the time that was measured
    std::uint64_t node_allocations = 0;     ///< calls of malloc on the node's thread in that time, less
    std::uint64_t renewal_allocations = 0;  ///< those of the rig, which gives the node a fresh replay filter
    std::uint64_t peer_allocations = 0;     ///< on the thread of generator and sink
    std::uint64_t sent = 0, arrived = 0;    ///< from the first to the last
    std::uint64_t known = 0;                ///< of them were in `expected`, and equal
    mix::DropCounts drops;
  };
  /// run sends one packet each `interval`, or as fast as the node takes them when that is 0, measures for
  /// `time` after `warm_up`, then waits for the last packet. The same packets come over and over. Once.
  Outcome run(Duration interval, Duration warm_up, Duration time);

  static service::MixOptions options(const RigPackets& packets);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::bench
