#pragma once
// The rings between the workers of a node: questions about tags, and answers.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "village/mix/epoch.hpp"
#include "village/mix/limits.hpp"
#include "village/mix/replay_filter.hpp"
#include "village/mix/ring.hpp"

namespace village::mix {

/// TagQuestion asks the owner about the tags of one batch that are its.
struct TagQuestion {
  Epoch epoch;
  std::uint32_t batch;  ///< of the asker
  std::uint32_t count;
  std::array<std::uint8_t, limits::batch_packets_max> rows;  ///< of the batch
  std::array<Fingerprint, limits::batch_packets_max> tags;
};

/// TagAnswer is the verdict, by rows of the asker's batch. Tags in neither mask are fresh and kept.
struct TagAnswer {
  std::uint32_t batch;
  std::uint64_t replayed;
  std::uint64_t refused;  ///< the filter is full or its log failed
  std::uint64_t unknown;  ///< the owner has no such epoch
};

/// WorkerMesh joins `workers` workers, each with each, by two rings for each direction: one question of each
/// epoch of each batch may be out at a time, so the rings never fill. Made before the workers, destroyed
/// after them.
class WorkerMesh {
 public:
  explicit WorkerMesh(std::uint32_t workers);
  std::uint32_t workers() const { return workers_; }
  Ring<TagQuestion>& questions(std::uint32_t from, std::uint32_t to) { return pair(from, to).questions; }
  /// answers go from the owner to the asker.
  Ring<TagAnswer>& answers(std::uint32_t from, std::uint32_t to) { return pair(from, to).answers; }

 private:
  static constexpr std::size_t depth = limits::open_batches_max * limits::node_epochs_max;
  struct Pair {
    Ring<TagQuestion> questions{depth};
    Ring<TagAnswer> answers{depth};
  };
  Pair& pair(std::uint32_t from, std::uint32_t to) { return *pairs_[std::size_t{from} * workers_ + to]; }
  std::uint32_t workers_;
  std::vector<std::unique_ptr<Pair>> pairs_;
};

}  // namespace village::mix
