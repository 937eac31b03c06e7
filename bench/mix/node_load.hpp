#pragma once
// A mix node's workers in memory, and distinct valid packets for them.
#include <memory>
#include <vector>

#include "support/report.hpp"
#include "village/base/random.hpp"
#include "village/mix/worker.hpp"

namespace village::bench {

/// NodeLoad makes the packets once: 3-hop packets of profile N-2048 whose first hop this node is. Their
/// delays are drawn from an exponential distribution with a mean of 50 ms.
class NodeLoad {
 public:
  explicit NodeLoad(std::size_t packets);
  std::size_t size() const { return count_; }
  ByteView frame(std::size_t i) const { return ByteView{frames_}.subspan(i * frame_bytes, frame_bytes); }

  /// install gives the workers keys, a fresh replay filter and routes: every packet may pass once more.
  void install(mix::Worker& worker);
  /// unwrapped is the frame that must come out for frame i, by sphinx::unwrap.
  Bytes unwrapped(std::size_t i) const;

  mix::WorkerOptions options() const;
  WallTime wall() const { return wall_; }
  RandomSource& random() { return random_; }
  std::uint64_t wish_ns(std::size_t i) const { return wishes_[i]; }
  const mix::EpochKeysPtr& keys() const { return keys_; }

  static constexpr std::size_t frame_bytes = mix::frame_bytes(mix::Profile::n2048);

 private:
  SeededRandom random_{20260801};
  WallTime wall_{std::chrono::hours{500'000}};
  mix::EpochKeysPtr keys_;
  std::shared_ptr<const mix::RouteTable> routes_;
  std::size_t count_;
  Bytes frames_;
  std::vector<std::uint64_t> wishes_;
};

/// instant is the monotonic clock as the workers take it.
inline Instant instant() { return Instant{Duration{static_cast<Duration::rep>(now_ns())}}; }

}  // namespace village::bench
