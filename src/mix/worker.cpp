#include "village/mix/worker.hpp"

#include <algorithm>
#include <cstring>

#include "mix/worker_state.hpp"
#include "village/base/check.hpp"
#include "village/base/limits.hpp"

namespace village::mix {
namespace {

using Stage = Place::Stage;

const village::limits::Row rows[] = {
    {"mix", "batch_packets_max", limits::batch_packets_max, 0, "packets unwrapped together"},
    {"mix", "neighbours_max", limits::neighbours_max, 24, "links of one node, each with its token bucket"},
    {"mix", "ingress_packets_max", limits::ingress_packets_max, 2'112,
     "frames waiting for a batch, a worker"},
    {"mix", "held_packets_max", limits::held_packets_max, 2'112, "packets being held, a worker"},
    {"mix", "node_epochs_max", limits::node_epochs_max, 0, "private keys in use at once"},
    {"mix", "replay_segments_max", limits::replay_segments_max, limits::replay_segment_tags * 4,
     "segments of 2^20 replay tags, a key and worker"},
    {"mix", "published_epochs_max", limits::published_epochs_max, 88, "delay proofs kept for auditors"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);

std::size_t batch_count(const WorkerMesh& mesh) { return mesh.workers() == 1 ? 1 : limits::open_batches_max; }

}  // namespace

Worker::State::State(const WorkerOptions& chosen, WorkerMesh& joined, std::uint32_t place, RandomSource& seed,
                     Instant now)
    : options{chosen},
      mesh{joined},
      index{place},
      random{seed},
      arena{chosen.profile, chosen.ingress_packets + chosen.held_packets},
      ingress{chosen.ingress_packets},
      released{arena.size()},
      delivery{arena.size()},
      queue{arena.size(), limits::delay_max, random, now},
      admission{chosen.rates, chosen.neighbours} {
  VG_CHECK(index < mesh.workers());
  VG_CHECK(options.batch_packets > 0 && options.batch_packets <= limits::batch_packets_max);
  VG_CHECK(options.ingress_packets > 0 && options.ingress_packets <= limits::ingress_packets_max);
  VG_CHECK(options.held_packets >= limits::batch_packets_max);
  VG_CHECK(options.delays.delay_max > Duration{0} && options.delays.delay_max <= limits::delay_max);
  const auto payload_bytes = packet_bytes(options.profile) - sphinx::limits::header_bytes;
  for (std::size_t i = 0; i < batch_count(mesh); ++i) batches.emplace_back(payload_bytes);
  questions.resize(std::size_t{mesh.workers()} * limits::node_epochs_max);
}

Worker::State::EpochPlace* Worker::State::find(Epoch epoch) {
  for (auto& place : epochs)
    if (place.keys != nullptr && place.keys->epoch == epoch) return &place;
  return nullptr;
}

void Worker::State::drop(HeldIndex item, Drop reason) {
  counters.drops.add(reason);
  arena.give_back(item);
}

/// admit fills `place`, or says why not. In the order of cost.
std::optional<Drop> Worker::State::admit(NeighbourIndex from, ByteView frame, Instant now, WallTime wall,
                                         Place& place) {
  const auto read = read_frame(options.profile, frame);
  if (!read) return drop_of(read.error());
  if (!admission.admit(from, now)) return Drop::rate;
  const auto epoch = options.epochs.epoch_of(read->rotation, wall);
  if (!epoch || find(*epoch) == nullptr || routes == nullptr) return Drop::route;
  if (ingress.size() >= options.ingress_packets || arena.full()) return Drop::ring;
  place.received = now;
  place.epoch = *epoch;
  place.rotation = read->rotation;
  return std::nullopt;
}

void Worker::State::release_due(Instant now) {
  std::array<HeldIndex, limits::batch_packets_max> due;
  for (std::size_t count; (count = queue.take_due(now, due)) > 0;) {
    for (const auto item : std::span{due}.first(count)) {
      auto& place = arena[item];
      if (now - place.due > options.release_late) {
        drop(item, Drop::late);
        continue;
      }
      place.stage = Stage::released;
      released.push(item);
    }
  }
}

std::size_t Worker::State::abandon() {
  std::size_t count = 0;
  for (HeldIndex item = 0; item < arena.size(); ++item) {
    const auto stage = arena[item].stage;
    if (stage == Stage::free || stage == Stage::given_released || stage == Stage::given_delivery) continue;
    arena.give_back(item);
    ++count;
  }
  while (!ingress.empty()) ingress.pop();
  while (!released.empty()) released.pop();
  while (!delivery.empty()) delivery.pop();
  std::array<HeldIndex, limits::batch_packets_max> held;
  while (queue.drain(held) > 0) {
  }
  for (auto& batch : batches) batch.alive = 0;  // answers that still come find nothing to send on
  counters.abandoned += count;
  return count;
}

Worker::Worker(const WorkerOptions& options, WorkerMesh& mesh, std::uint32_t index, RandomSource& random,
               Instant now)
    : state_{std::make_unique<State>(options, mesh, index, random, now)} {}
Worker::~Worker() = default;

Result<void> Worker::install(EpochKeysPtr keys, std::unique_ptr<ReplayShard> replay) {
  VG_CHECK(keys != nullptr && replay != nullptr);
  auto* place = state_->find(keys->epoch);
  for (auto& other : state_->epochs)
    if (place == nullptr && other.keys == nullptr) place = &other;
  if (place == nullptr) return Error{Errc::limit_exceeded};
  *place = {std::move(keys), std::move(replay)};
  return ok();
}

void Worker::remove(Epoch epoch) {
  if (auto* place = state_->find(epoch)) *place = {};
}

bool Worker::has(Epoch epoch) const { return state_->find(epoch) != nullptr; }

void Worker::set_routes(std::shared_ptr<const RouteTable> routes) { state_->routes = std::move(routes); }

void Worker::set_neighbour(NeighbourIndex neighbour, std::uint64_t pps) {
  state_->admission.reset(neighbour, pps);
}

void Worker::set_delays(const DelayRules& delays) {
  VG_CHECK(delays.delay_max > Duration{0} && delays.delay_max <= limits::delay_max);
  state_->options.delays = delays;
}

void Worker::set_probe(WorkerProbe* probe) {
  state_->probe = probe;
  for (auto& batch : state_->batches) batch.unwrap.probe(probe);
}

bool Worker::submit(NeighbourIndex from, ByteView frame, Instant now, WallTime wall) {
  auto& s = *state_;
  if (s.stopped) return false;
  ++s.counters.received;
  Place place;
  if (const auto refused = s.admit(from, frame, now, wall, place)) {
    s.counters.drops.add(*refused);
    return false;
  }
  const auto item = s.arena.take();
  place.stage = Stage::ingress;
  s.arena[item] = place;
  std::memcpy(s.arena.frame(item).data(), frame.data(), frame.size());
  s.ingress.push(item);
  return true;
}

bool Worker::batch_full() const { return state_->ingress.size() >= state_->options.batch_packets; }

void Worker::run(Instant now) {
  auto& s = *state_;
  s.answer_questions();
  s.read_answers(now);
  for (std::size_t i = 0; i < limits::batches_per_run && s.batch_due(now); ++i) {
    auto* batch = s.free_batch();
    if (batch == nullptr) break;
    s.open_batch(*batch, now);
  }
  s.release_due(now);
}

std::optional<Instant> Worker::next_deadline() const {
  const auto& s = *state_;
  auto deadline = s.queue.next_deadline();
  const bool some_free = std::ranges::any_of(s.batches, [](const auto& batch) { return !batch.busy; });
  if (!s.ingress.empty() && some_free) {
    auto opens = s.arena[s.ingress.front()].received;
    if (!batch_full() && !s.stopped) opens += s.options.batch_wait;
    deadline = std::min(deadline.value_or(opens), opens);
  }
  return deadline;
}

void Worker::set_bell(std::function<void(std::uint64_t workers)> bell) { state_->bell = std::move(bell); }

std::uint64_t Worker::take_wakeups() { return std::exchange(state_->wakeups, 0); }

std::size_t Worker::poll_released(std::span<Released> out) {
  auto& s = *state_;
  std::size_t count = 0;
  for (; count < out.size() && !s.released.empty(); ++count) {
    const auto item = s.released.pop();
    s.arena[item].stage = Stage::given_released;
    out[count] = {HeldPacket{item}, s.arena[item].next, s.arena.frame(item)};
  }
  return count;
}

std::size_t Worker::poll_delivered(std::span<Delivered> out) {
  auto& s = *state_;
  std::size_t count = 0;
  for (; count < out.size() && !s.delivery.empty(); ++count) {
    const auto item = s.delivery.pop();
    auto& place = s.arena[item];
    place.stage = Stage::given_delivery;
    out[count] = {HeldPacket{item}, place.destination, place.identifier,
                  s.arena.packet(item).subspan(sphinx::limits::header_bytes), place.epoch};
  }
  return count;
}

void Worker::done(HeldPacket held) {
  auto& s = *state_;
  const auto item = static_cast<HeldIndex>(held);
  const auto stage = s.arena[item].stage;
  VG_CHECK(stage == Stage::given_released || stage == Stage::given_delivery);
  ++(stage == Stage::given_released ? s.counters.forwarded : s.counters.delivered);
  s.arena.give_back(item);
}

void Worker::drop(HeldPacket held, Drop reason) {
  const auto item = static_cast<HeldIndex>(held);
  const auto stage = state_->arena[item].stage;
  VG_CHECK(stage == Stage::given_released || stage == Stage::given_delivery);
  state_->drop(item, reason);
}

void Worker::stop() { state_->stopped = true; }
std::size_t Worker::in_flight() const { return state_->arena.in_use(); }
std::size_t Worker::abandon() { return state_->abandon(); }
const WorkerCounters& Worker::counters() const { return state_->counters; }
std::size_t Worker::held() const { return state_->queue.size(); }

bool Worker::replay_closed() const {
  return std::ranges::any_of(state_->epochs,
                             [](const auto& place) { return place.replay && place.replay->closed(); });
}

std::size_t Worker::replay_tags() const {
  std::size_t sum = 0;
  for (const auto& place : state_->epochs) sum += place.replay ? place.replay->filter().size() : 0;
  return sum;
}

std::size_t Worker::replay_bytes() const {
  std::size_t sum = 0;
  for (const auto& place : state_->epochs) sum += place.replay ? place.replay->filter().bytes() : 0;
  return sum;
}

}  // namespace village::mix
