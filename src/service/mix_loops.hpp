#pragma once
// MixLoops: a node's own cover: packets at the times of a Poisson process through the whole mixnet back to
// itself. What does not come back is loss, and much of it a sign of an (n-1) attack.
#include <functional>
#include <memory>
#include <optional>

#include "village/base/bytes.hpp"
#include "village/mix/cover_stream.hpp"
#include "village/mix/frame.hpp"
#include "village/mix/loop_monitor.hpp"
#include "village/mix/topology.hpp"
#include "village/mix/way.hpp"

namespace village::service {

/// MixLoops belongs to one thread; it has no clock and no socket.
class MixLoops {
 public:
  /// Out sends a packet to its first hop.
  using Out = std::function<void(const sphinx::NodeAddress& first, std::byte rotation, Bytes packet)>;
  /// `random` is fit for keys and outlives it.
  MixLoops(const wire::NodeId& self, mix::Profile profile, RandomSource& random, Instant now);

  /// set_view makes loops through these nodes from now on, at the mean that the document names, or `mean` if
  /// that is longer; null stops them.
  void set_view(std::shared_ptr<const mix::MixView> view, Duration mean, Instant now);
  /// tick sends what is due and gives up what is late.
  void tick(Instant now, const Out& out);
  /// returned takes the message of a payload that came to this node itself; false if it is no loop of ours.
  bool returned(ByteView message, Instant now);
  std::optional<Instant> next_deadline() const;
  const mix::LoopMonitor& monitor() const { return monitor_; }

 private:
  std::optional<mix::Way> draw();
  void send(Instant now, const Out& out);

  wire::NodeId self_;
  mix::Profile profile_;
  RandomSource* random_;
  std::shared_ptr<const mix::MixView> view_;
  mix::CoverStream times_;
  mix::LoopMonitor monitor_;
};

}  // namespace village::service
