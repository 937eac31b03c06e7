#pragma once
// CoverStream: when packets leave, whether or not there is something to say. Source: Loopix (USENIX Security
// 2017), section 4.1; reference mixnet 5.
#include <optional>

#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/mix/message_limits.hpp"

namespace village::mix {

/// CoverStream is a Poisson process: times with exponential distances, drawn from a random source and nothing
/// else. At each of them its owner sends exactly one packet: a real one if one waits, else cover. So what an
/// observer sees does not depend on use. An owner that was late makes up for it, but for no more than
/// burst_max packets. A mean of 0 means no stream: then packets may leave at any time and nothing is cover.
/// One thread.
class CoverStream {
 public:
  /// `random` must outlive the stream.
  CoverStream(Duration mean, RandomSource& random, Instant now);

  bool enabled() const { return mean_ > Duration{0}; }
  Duration mean() const { return mean_; }
  /// set_mean starts anew from now; nothing happens if it is the same.
  void set_mean(Duration mean, Instant now);
  /// take is true if a packet is due; each call takes one. Not for a stream that is not enabled (false).
  bool take(Instant now);
  /// next_deadline is when the next packet is due; nullopt without a stream.
  std::optional<Instant> next_deadline() const;
  /// restart skips what is due: after a pause without a link, that nobody could fill.
  void restart(Instant now);
  /// draw is one exponential time: floor(-mean * log1p(-u)).
  static Duration draw(Duration mean, RandomSource& random);

 private:
  Duration mean_;
  RandomSource* random_;
  Instant next_;
};

}  // namespace village::mix
