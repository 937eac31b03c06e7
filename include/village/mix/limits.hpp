#pragma once
// Bounds of mixing: what one neighbour, client or authority can make this side keep or do. Source:
// decisions/mix.
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "village/base/time.hpp"

namespace village::mix::limits {

inline constexpr std::size_t batch_packets_max = 64;  ///< packets unwrapped together

// The data plane of a node, for each worker.
inline constexpr std::size_t workers_max = 64;
inline constexpr std::size_t neighbours_max = 4'096;        ///< links that frames come from or go to
inline constexpr std::size_t ingress_packets_max = 65'536;  ///< waiting for a batch
inline constexpr std::size_t open_batches_max = 8;          ///< waiting for other workers' replay verdicts
inline constexpr std::size_t batches_per_run = 8;           ///< before the worker looks at its links again
inline constexpr std::size_t held_packets_max = 1 << 20;    ///< in the delay queue
inline constexpr std::size_t node_epochs_max = 4;  ///< keys in use at once: e - 1, e, e + 1 and a spare
inline constexpr std::size_t published_epochs_max = 256;  ///< delay proofs kept for those who ask
inline constexpr std::size_t delay_bins_max = 64;
inline constexpr std::size_t stated_bins_max = 8;                ///< of a mixture that a descriptor states
inline constexpr Duration delay_max = std::chrono::seconds{60};  ///< the most that `max_delay` may say

// Replay filter, for each key and worker.
inline constexpr std::size_t replay_segment_tags = std::size_t{1} << 20;
inline constexpr std::size_t replay_segments_max = 256;

}  // namespace village::mix::limits
