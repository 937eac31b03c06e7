#pragma once
// Epochs: the time slices of mixing keys and directory documents. Source: decisions/mix, Rotation byte.
#include <cstdint>
#include <optional>

#include "village/base/time.hpp"

namespace village::mix {

using Epoch = std::uint64_t;  ///< counted in lengths since 1970

/// Epochs is the division of wall-clock time that all nodes of one mixnet share.
struct Epochs {
  Duration length = std::chrono::minutes{20};   ///< > 0
  Duration overlap = std::chrono::seconds{80};  ///< how long the key before stays good: longest way + 60 s

  /// at is the epoch of a moment; moments before 1970 are in epoch 0.
  Epoch at(WallTime now) const;
  WallTime start(Epoch epoch) const;
  WallTime end(Epoch epoch) const { return start(epoch + 1); }

  /// rotation is what a frame carries for a packet under the key of `epoch`: 1 odd, 2 even.
  static std::byte rotation(Epoch epoch);
  /// epoch_of resolves a frame's rotation byte: the current epoch if the parity fits, else the one before
  /// until its overlap is over, else the next in the last early_time. nullopt: no key may open it (drop
  /// `route`).
  std::optional<Epoch> epoch_of(std::byte rotation, WallTime now) const;
  /// early_time: 60 s, but never more than a tenth of an epoch.
  Duration early_time() const;
};

}  // namespace village::mix
