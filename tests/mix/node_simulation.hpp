#pragma once
// Thirty nodes on simulated time: three layers of ten, one or two workers each, joined by a network that
// delays, loses, damages and repeats frames; nodes are killed and started again with the replay logs they
// left; epochs change under the traffic.
#include <map>
#include <memory>
#include <vector>

#include "village/base/random.hpp"
#include "village/mix/worker.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/payload.hpp"

namespace village::mix::test {

struct SimulationPlan {
  std::uint64_t seed = 1;
  std::size_t messages = 300;
  Duration time = 5s;  ///< in which they are sent; epochs have 2 s
  bool faults = true;
};

struct SimulationOutcome {
  std::uint64_t sent = 0, repeated = 0;  ///< by clients; by the network, on purpose
  std::uint64_t delivered = 0, delivered_twice = 0, damaged = 0;
  std::uint64_t lost_in_network = 0, lost_in_crashes = 0;
  std::uint64_t crashes = 0, power_cuts = 0;
  DropCounts drops;
  bool balanced = true;      ///< every worker could account for its packets at any time it was asked
  std::uint64_t inside = 0;  ///< of nodes and network at the end
};

/// Simulation runs one plan.
class Simulation {
 public:
  static constexpr NeighbourIndex node_count = 30;
  explicit Simulation(const SimulationPlan& plan);
  SimulationOutcome run();

 private:
  using Tags = std::vector<Fingerprint>;
  /// Disk is what a node finds again: the log of each epoch and shard.
  using Disk = std::map<std::pair<Epoch, std::uint32_t>, Tags>;
  class Journal;
  struct Node {
    std::unique_ptr<NodeKeys> keys;
    std::uint32_t worker_count = 1;
    Disk disk;
    std::map<Epoch, bool> retired;
    std::unique_ptr<WorkerMesh> mesh;
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<Epoch> installed;
    Instant up_at{};  ///< while it is down
    bool up() const { return !workers.empty(); }
  };
  struct Flight {
    NeighbourIndex from, to;
    Bytes frame;
  };

  static WorkerOptions options();
  static sphinx::NodeAddress address(NeighbourIndex node);
  void start(Node& node);
  void install_epochs(Node& node);
  void kill(Node& node, bool power);
  void count(const Node& node);
  void send_message();
  void fly(NeighbourIndex from, NeighbourIndex to, Bytes frame, bool first = true);
  void arrive();
  void run_nodes();
  void collect(NeighbourIndex number, Worker& worker);
  void deliver(ByteView payload);
  void break_things();
  bool chance(std::uint64_t in) { return random_.below(in) == 0; }

  SimulationPlan plan_;
  SeededRandom random_;
  Instant now_{1h};
  WallTime wall_{1'000s};
  std::vector<Node> nodes_{node_count};
  std::shared_ptr<const RouteTable> routes_;
  std::multimap<Instant, Flight> flights_;
  std::map<std::uint64_t, int> arrivals_;
  std::map<NeighbourIndex, Instant> stuck_;
  SimulationOutcome outcome_;
};

}  // namespace village::mix::test
