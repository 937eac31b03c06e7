#pragma once
// The data plane of a mix node on one core: frames in, packets to forward and payloads to deliver out.
//
//   submit -> admission -> batch of one epoch -> open (X25519, MAC, routing) -> replay verdict of each tag's
//   owner -> finish (second X25519, LIONESS) -> delay -> timer wheel -> shuffled release -> poll_released
//                                                   \-> this is the last hop -> poll_delivered
//
// One worker belongs to one thread. Workers of a node share nothing but the rings of their WorkerMesh: tags
// that another worker keeps are sent there in batches, and no packet goes on before the answer is here. What
// the links do with sockets is the service's.
//
// After each submit or run: poll_released, poll_delivered, take_wakeups, then sleep until next_deadline.
// Memory is taken by the constructor (a replay filter grows by 4 MiB for each 2^20 tags). Sources: reference
// mixnet 2.6, 5, 10; mixnet-perf.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "village/mix/delay.hpp"
#include "village/mix/drop.hpp"
#include "village/mix/epoch.hpp"
#include "village/mix/frame.hpp"
#include "village/mix/limits.hpp"
#include "village/mix/node_keys.hpp"
#include "village/mix/rate_limit.hpp"
#include "village/mix/replay_shard.hpp"
#include "village/mix/route_table.hpp"
#include "village/mix/worker_mesh.hpp"
#include "village/sphinx/unwrap_batch.hpp"

namespace village::mix {

struct WorkerOptions {
  Profile profile = Profile::n2048;
  Epochs epochs;
  DelayRules delays;
  RateRules rates;                                         ///< of this worker alone
  std::size_t neighbours = limits::neighbours_max;         ///< links numbered below this
  std::size_t batch_packets = limits::batch_packets_max;   ///< 1 to that
  Duration batch_wait = std::chrono::milliseconds{1};      ///< of the first packet of a batch
  std::size_t ingress_packets = 2'000;                     ///< waiting for a batch; more: drop `ring`
  std::size_t held_packets = 4'096;                        ///< behind that: opened, in the queue, given out
  Duration unwrap_late = std::chrono::milliseconds{250};   ///< waited longer for its batch: drop `late`
  Duration release_late = std::chrono::milliseconds{450};  ///< left the queue later than this: drop `late`
};

/// HeldPacket names a place of a worker's arena that the caller must give back by done() or drop().
enum class HeldPacket : std::uint32_t {};

/// Released is a packet whose time has come, ready as a frame of the link.
struct Released {
  HeldPacket held;
  NeighbourIndex next;  ///< by the route table that was set when the packet came
  ByteView frame;       ///< frame_bytes(profile); valid until done(held) or drop(held, ...)
};

/// Delivered is a payload whose last hop this node is.
struct Delivered {
  HeldPacket held;
  sphinx::Destination destination;
  sphinx::Identifier identifier;
  ByteView payload;  ///< plain unless it answers a reply block (sphinx::open_payload); valid until done(held)
  Epoch epoch;
};

/// WorkerCounters only grow. Read them on the worker's thread. At any time
/// received = forwarded + delivered + abandoned + drops + in_flight().
struct WorkerCounters {
  std::uint64_t received = 0;   ///< frames submitted
  std::uint64_t forwarded = 0;  ///< from poll_released, and done
  std::uint64_t delivered = 0;  ///< from poll_delivered, and done
  std::uint64_t abandoned = 0;  ///< in the node when it stopped
  DropCounts drops;
  std::uint64_t delays_zero = 0;     ///< asked for no delay: left with the next batch
  std::uint64_t delays_clamped = 0;  ///< asked for more than delay_max
  std::uint64_t batches = 0;
  std::uint64_t replay_refused =
      0;                        ///< dropped (as `replay`) because a key's filter is full or its log failed
  std::uint64_t tags_sent = 0;  ///< to other workers
  std::uint64_t tags_answered = 0;  ///< for other workers
};

/// WorkerProbe is told, for benchmarks, when a stage of a batch is over; `sphinx` phases in between.
class WorkerProbe : public sphinx::PhaseProbe {
 public:
  enum class Stage : std::uint8_t {
    begin,   ///< of a batch
    opened,  ///< rejects counted
    replay,  ///< verdicts are here
    route,   ///< next hops found
    delay,   ///< delays decided
    finish,  ///< packets rewritten
    queue,   ///< frame headers written, in the delay queue
  };
  virtual void ended(Stage stage, std::size_t packets) = 0;
  using sphinx::PhaseProbe::ended;
};

class Worker {
 public:
  /// `mesh` and `random` (a CSPRNG but in tests) must outlive the worker; `index` is its place in the mesh.
  Worker(const WorkerOptions& options, WorkerMesh& mesh, std::uint32_t index, RandomSource& random,
         Instant now);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Control: on the worker's thread.

  /// install begins to accept packets of an epoch. `replay` is this worker's shard of the key's tags; all
  /// workers of a node must have theirs before packets of the epoch come. An epoch that is there is replaced.
  /// Errors: limit_exceeded (limits::node_epochs_max).
  Result<void> install(EpochKeysPtr keys, std::unique_ptr<ReplayShard> replay);
  /// remove ends an epoch (expired, or retired): its key is let go, its shard destroyed. Packets opened
  /// already go on; those waiting in a batch are dropped as `route`, and so are, unless the policy is
  /// `header`, those whose verdict another worker still owes: their delay went with the key.
  void remove(Epoch epoch);
  bool has(Epoch epoch) const;
  /// set_routes replaces the next hops. nullptr: forward nothing (no valid directory document): drop `route`.
  void set_routes(std::shared_ptr<const RouteTable> routes);
  /// set_neighbour begins a link: its bucket is full, and refills at `pps` (0 = the rules' rate).
  void set_neighbour(NeighbourIndex neighbour, std::uint64_t pps = 0);
  void set_delays(const DelayRules& delays);  ///< for packets that come from now on

  // Data.

  /// submit takes one frame of a link and copies it. false: dropped and counted (or stopped). Does no
  /// cryptography: run() does; call it when batch_full(). `wall` picks the epoch of the frame's rotation.
  bool submit(NeighbourIndex from, ByteView frame, Instant now, WallTime wall);
  bool batch_full() const;
  /// run answers other workers, opens batches that are full or have waited, finishes those whose verdicts are
  /// here, and releases what is due. At most limits::batches_per_run batches; next_deadline says `now` when
  /// more are left.
  void run(Instant now);
  std::optional<Instant> next_deadline() const;
  /// set_bell makes `bell` hear that set at once, inside run, whenever this worker has answered others: one
  /// that sleeps until then must not wait for the end of a run of many batches.
  void set_bell(std::function<void(std::uint64_t workers)> bell);
  /// take_wakeups is the set of workers (bit i: index i) that have something to read since the last call:
  /// make them run().
  std::uint64_t take_wakeups();

  /// poll_released and poll_delivered write what is ready and return how many.
  std::size_t poll_released(std::span<Released> out);
  std::size_t poll_delivered(std::span<Delivered> out);
  /// done gives a place back: the packet was sent, or the payload taken.
  void done(HeldPacket held);
  /// drop gives it back and counts why it went no further (ring: the link is stuck; payload: damaged).
  void drop(HeldPacket held, Drop reason);

  // Shutdown: stop(), then run() and poll until in_flight() is 0 or the deadline, then abandon().

  /// stop refuses further frames (uncounted), and batches wait no more. Packets inside go their way.
  void stop();
  /// in_flight counts packets in batches, in the queue, and given out but not done.
  std::size_t in_flight() const;
  /// abandon drops all but those given out, counts them as `abandoned`, and returns how many.
  std::size_t abandon();

  /// set_probe is for benchmarks: the stages of each batch. nullptr: nobody.
  void set_probe(WorkerProbe* probe);

  const WorkerCounters& counters() const;
  /// replay_closed: some key accepts no packets any more (filter full or log broken). Raise an alarm.
  bool replay_closed() const;
  std::size_t replay_tags() const;   ///< in all filters of this worker
  std::size_t replay_bytes() const;  ///< of these filters
  std::size_t held() const;          ///< packets in the delay queue

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::mix
