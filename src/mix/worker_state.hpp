#pragma once
// What is inside a Worker. worker.cpp: control, ingress, release. worker_batches.cpp: from batch to queue.
#include <array>

#include "mix/index_queue.hpp"
#include "mix/packet_arena.hpp"
#include "village/mix/fast_random.hpp"
#include "village/mix/worker.hpp"

namespace village::mix {

struct alignas(village::limits::cache_line_bytes) Worker::State {
  State(const WorkerOptions& options, WorkerMesh& mesh, std::uint32_t index, RandomSource& random,
        Instant now);

  struct EpochPlace {
    EpochKeysPtr keys;
    std::unique_ptr<ReplayShard> replay;
  };

  /// Batch is packets unwrapped together; busy from open to finish.
  struct Batch {
    explicit Batch(std::size_t payload_bytes) : unwrap{payload_bytes} {}
    sphinx::UnwrapBatch unwrap;
    std::array<HeldIndex, limits::batch_packets_max> rows{};
    std::size_t count = 0;
    std::uint64_t alive = 0;  ///< opened, not dropped yet
    std::uint64_t replayed = 0, refused = 0, unknown = 0;
    std::size_t waiting = 0;  ///< answers to come
    bool busy = false;
  };
  using Units = std::array<double, limits::batch_packets_max>;

  // worker.cpp
  EpochPlace* find(Epoch epoch);
  std::optional<Drop> admit(NeighbourIndex from, ByteView frame, Instant now, WallTime wall, Place& place);
  void drop(HeldIndex item, Drop reason);
  void release_due(Instant now);
  std::size_t abandon();

  // worker_batches.cpp
  bool batch_due(Instant now) const;
  Batch* free_batch();
  void open_batch(Batch& batch, Instant now);
  void count_rejects(Batch& batch, std::uint64_t all);
  void check_tags(Batch& batch);
  void ask(Batch& batch, std::uint32_t owner, TagQuestion& question);
  void check_own(Batch& batch, EpochPlace& place, const TagQuestion& question);
  void answer_questions();
  void read_answers(Instant now);
  void finish_batch(Batch& batch, Instant now);
  void drop_replays(Batch& batch);
  void find_routes(Batch& batch);
  void decide_delays(Batch& batch);
  void draw_units(Batch& batch, Units& units);
  void send_on(Batch& batch, Instant now);
  void report(WorkerProbe::Stage stage, std::size_t packets) {
    if (probe != nullptr) probe->ended(stage, packets);
  }

  WorkerOptions options;
  WorkerMesh& mesh;
  std::uint32_t index;
  FastRandom random;
  PacketArena arena;
  IndexQueue ingress, released, delivery;
  DelayQueue queue;
  Admission admission;
  std::array<EpochPlace, limits::node_epochs_max> epochs;
  std::shared_ptr<const RouteTable> routes;
  LineVector<Batch> batches;
  LineVector<TagQuestion> questions;  ///< being written: one for each worker and epoch
  std::uint64_t wakeups = 0;
  std::function<void(std::uint64_t)> bell;
  bool stopped = false;
  WorkerCounters counters;
  WorkerProbe* probe = nullptr;
};

}  // namespace village::mix
