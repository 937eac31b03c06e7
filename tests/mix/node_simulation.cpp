#include "mix/node_simulation.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace village::mix::test {
namespace {

constexpr std::size_t layer_nodes = Simulation::node_count / 3;
constexpr Duration step = 1ms;

Epochs epochs() { return {2s, 1s}; }

}  // namespace

/// Journal writes where a killed process's tags stay.
class Simulation::Journal final : public ReplayJournal {
 public:
  explicit Journal(Tags& tags) : tags_{tags} {}
  bool append(std::span<const Fingerprint> tags) override {
    tags_.insert(tags_.end(), tags.begin(), tags.end());
    return true;
  }

 private:
  Tags& tags_;
};

WorkerOptions Simulation::options() {
  WorkerOptions options;
  options.epochs = epochs();
  options.neighbours = node_count + 1;
  options.ingress_packets = 128;
  options.held_packets = 256;
  options.delays.distribution = DelayDistribution::exponential(20ms).value();
  return options;
}

sphinx::NodeAddress Simulation::address(NeighbourIndex node) {
  return sphinx::node_address(Ipv4Address{std::byte{10}, std::byte{9}, std::byte{8}, std::byte(node)}, 1'789);
}

Simulation::Simulation(const SimulationPlan& plan) : plan_{plan}, random_{plan.seed} {
  std::vector<RouteTable::Route> routes;
  for (NeighbourIndex i = 0; i < node_count; ++i) routes.push_back({address(i), i});
  routes_ = std::make_shared<RouteTable>(routes, random_);
  for (auto& node : nodes_) {
    node.keys = std::make_unique<NodeKeys>(epochs(), crypto::VrfKeyPair::generate(random_));
    node.worker_count = static_cast<std::uint32_t>(1 + random_.below(2));
    start(node);
  }
}

void Simulation::start(Node& node) {
  node.mesh = std::make_unique<WorkerMesh>(node.worker_count);
  for (std::uint32_t i = 0; i < node.worker_count; ++i) {
    node.workers.push_back(std::make_unique<Worker>(options(), *node.mesh, i, random_, now_));
    node.workers.back()->set_routes(routes_);
  }
  node.installed.clear();
  install_epochs(node);
}

/// install_epochs makes keys for now and the next two epochs, and gives the workers those that may come.
void Simulation::install_epochs(Node& node) {
  const auto current = epochs().at(wall_);
  for (const auto gone : node.keys->expire(now_, wall_)) {
    for (auto& worker : node.workers) worker->remove(gone);
    std::erase(node.installed, gone);
    for (std::uint32_t shard = 0; shard < node.worker_count; ++shard) node.disk.erase({gone, shard});
  }
  for (auto epoch = current; epoch <= current + 2; ++epoch) node.keys->generate(epoch, random_);
  for (const auto epoch : node.keys->epochs()) {
    if (epoch > current + 1 || node.retired[epoch] || std::ranges::count(node.installed, epoch) > 0) continue;
    for (std::uint32_t shard = 0; shard < node.worker_count; ++shard) {
      auto& tags = node.disk[{epoch, shard}];
      ReplayFilter filter{1, 10'000};
      for (const auto tag : tags) filter.restore(tag);
      auto kept = std::make_unique<ReplayShard>(std::move(filter), std::make_unique<Journal>(tags));
      outcome_.balanced &= node.workers[shard]->install(node.keys->find(epoch), std::move(kept)).has_value();
    }
    node.installed.push_back(epoch);
  }
}

void Simulation::count(const Node& node) {
  for (const auto& worker : node.workers) {
    const auto& c = worker->counters();
    for (std::size_t i = 0; i < drop_count; ++i) outcome_.drops.by_reason[i] += c.drops.by_reason[i];
    outcome_.balanced &=
        c.received == c.forwarded + c.delivered + c.abandoned + c.drops.total() + worker->in_flight();
  }
}

/// kill is kill -9: what the workers hold is lost, the logs stay. After a power cut the logs are not to be
/// trusted: their keys are retired.
void Simulation::kill(Node& node, bool power) {
  count(node);
  for (const auto& worker : node.workers) outcome_.lost_in_crashes += worker->in_flight();
  node.workers.clear();
  if (power) {
    for (const auto& [place, tags] : node.disk) node.retired[place.first] = true;
    node.disk.clear();
    ++outcome_.power_cuts;
  }
  ++outcome_.crashes;
  node.up_at = now_ + Duration{static_cast<Duration::rep>(1 + random_.below(500'000'000))};
}

void Simulation::send_message() {
  const auto epoch = epochs().at(wall_);
  std::vector<sphinx::Hop> hops;
  std::vector<NeighbourIndex> path;
  for (std::size_t layer = 0; layer < 3; ++layer)
    path.push_back(static_cast<NeighbourIndex>(layer * layer_nodes + random_.below(layer_nodes)));
  path.push_back(static_cast<NeighbourIndex>(random_.below(node_count)));  // the gateway
  const auto delays = DelayDistribution::exponential(20ms).value();
  for (const auto number : path) {
    const auto delay = static_cast<std::uint64_t>(delays.draw(random_.unit()).count());
    hops.push_back({nodes_[number].keys->find(epoch)->sphinx_public, address(number), delay});
  }
  Bytes frame(frame_bytes(Profile::n2048));
  const auto id = outcome_.sent++;
  ByteArray<8> message;
  std::memcpy(message.data(), &id, sizeof id);
  const auto made =
      sphinx::create_packet(hops, {}, {}, message, ByteSpan{frame}.subspan(frame_header_bytes), random_);
  outcome_.balanced &= made.has_value();
  write_frame_header(Profile::n2048, Epochs::rotation(epoch), std::span{frame}.first<frame_header_bytes>());
  fly(node_count, path[0], std::move(frame));
}

void Simulation::fly(NeighbourIndex from, NeighbourIndex to, Bytes frame, bool first) {
  const auto way = [&](std::uint64_t ms) {
    return now_ + Duration{static_cast<Duration::rep>(1'000'000 + random_.below(ms * 1'000'000))};
  };
  if (plan_.faults && first) {
    if (chance(6)) {  // somebody who recorded the frame sends it again, soon or much later
      ++outcome_.repeated;
      const auto later = way(chance(2) ? 5 : 2'000);
      flights_.emplace(later, Flight{from, to, frame});
    }
    if (chance(100)) {
      ++outcome_.lost_in_network;
      return;
    }
    if (chance(100)) frame[random_.below(frame.size())] ^= std::byte(1U << random_.below(8));
  }
  flights_.emplace(way(4), Flight{from, to, std::move(frame)});
}

void Simulation::arrive() {
  while (!flights_.empty() && flights_.begin()->first <= now_) {
    const auto flight = std::move(flights_.begin()->second);
    flights_.erase(flights_.begin());
    auto& node = nodes_[flight.to];
    if (!node.up()) {
      ++outcome_.lost_in_network;
      continue;
    }
    auto& worker = *node.workers[random_.below(node.workers.size())];
    worker.submit(flight.from, flight.frame, now_, wall_);
  }
}

void Simulation::collect(NeighbourIndex number, Worker& worker) {
  std::array<Released, 8> released;
  for (std::size_t count; (count = worker.poll_released(released)) > 0;) {
    for (const auto& item : std::span{released}.first(count)) {
      const auto stuck = stuck_.find(item.next);
      if (stuck != stuck_.end() && stuck->second > now_) {
        worker.drop(item.held, Drop::ring);
        continue;
      }
      fly(number, item.next, to_bytes(item.frame));
      worker.done(item.held);
    }
  }
  std::array<Delivered, 8> delivered;
  for (std::size_t count; (count = worker.poll_delivered(delivered)) > 0;) {
    for (const auto& item : std::span{delivered}.first(count)) {
      const auto message = sphinx::open_payload(item.payload);
      if (!message || message->size() != 8) {
        ++outcome_.damaged;
        worker.drop(item.held, Drop::payload);
        continue;
      }
      deliver(*message);
      worker.done(item.held);
    }
  }
}

void Simulation::deliver(ByteView message) {
  std::uint64_t id;
  std::memcpy(&id, message.data(), sizeof id);
  ++outcome_.delivered;
  if (++arrivals_[id] > 1) ++outcome_.delivered_twice;
}

void Simulation::run_nodes() {
  for (NeighbourIndex i = 0; i < node_count; ++i) {
    for (auto& worker : nodes_[i].workers) worker->run(now_);
    for (auto& worker : nodes_[i].workers) collect(i, *worker);
  }
}

void Simulation::break_things() {
  for (auto& node : nodes_)
    if (!node.up() && now_ >= node.up_at) start(node);
  if (!plan_.faults) return;
  if (chance(120)) {
    auto& victim = nodes_[random_.below(node_count)];
    if (victim.up()) kill(victim, chance(4));
  }
  if (chance(300)) stuck_[static_cast<NeighbourIndex>(random_.below(node_count))] = now_ + 100ms;
}

SimulationOutcome Simulation::run() {
  const auto steps = plan_.time / step;
  const auto epoch_check = 20;
  for (std::int64_t i = 0; i < steps + 4'000; ++i) {  // and time for the last to arrive, replays included
    const auto wanted = plan_.messages * static_cast<std::size_t>(std::min<std::int64_t>(i, steps)) /
                        static_cast<std::size_t>(steps);
    while (outcome_.sent < wanted) send_message();
    now_ += step;
    wall_ += step;
    if (i % epoch_check == 0)
      for (auto& node : nodes_)
        if (node.up()) install_epochs(node);
    if (i < steps) break_things();
    if (i >= steps)
      for (auto& node : nodes_)
        if (!node.up() && now_ >= node.up_at) start(node);
    arrive();
    run_nodes();
  }
  for (const auto& node : nodes_) {
    count(node);
    for (const auto& worker : node.workers) outcome_.inside += worker->in_flight();
  }
  outcome_.inside += flights_.size();
  return outcome_;
}

}  // namespace village::mix::test
