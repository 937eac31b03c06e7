#pragma once
// MixLoops: a node's own cover: packets at the times of a Poisson process through the whole mixnet back to
// itself. What does not come back is loss, and much of it a sign of an (n-1) attack.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/mix/cover_stream.hpp"
#include "village/mix/frame.hpp"
#include "village/mix/loop_monitor.hpp"
#include "village/mix/topology.hpp"
#include "village/mix/way.hpp"
#include "village/sphinx/create.hpp"

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

  /// Observed is a loop that came back: how long it took, and what each hop that held it was asked for.
  struct Observed {
    struct Hop {
      wire::NodeId node;
      sphinx::ReplayTag tag;
      std::uint64_t wish_ns;
    };
    mix::Epoch epoch = 0;
    Duration total{};
    std::vector<Hop> hops;  ///< without the last one, which is this node
  };
  /// observe_by is told of loops sent from now on.
  void observe_by(std::function<void(const Observed&)> observe) { observe_ = std::move(observe); }

 private:
  struct Drawn {
    mix::Way way;
    std::vector<wire::NodeId> nodes;  ///< of the hops
  };
  struct UnderWay {
    Instant sent{};
    Observed observed;
  };
  std::optional<Drawn> draw();
  void watch(const mix::MessageId& id, const Drawn& drawn, const sphinx::PayloadKeys& keys, Instant now);
  void send(Instant now, const Out& out);

  wire::NodeId self_;
  mix::Profile profile_;
  RandomSource* random_;
  std::shared_ptr<const mix::MixView> view_;
  mix::CoverStream times_;
  mix::LoopMonitor monitor_;
  std::function<void(const Observed&)> observe_;
  std::map<mix::MessageId, UnderWay> under_way_;  ///< at most mix_observed_max
};

}  // namespace village::service
