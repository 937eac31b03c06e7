// From the first scalar multiplication to the delay queue.
#include <bit>
#include <utility>

#include "mix/worker_state.hpp"
#include "village/base/check.hpp"

namespace village::mix {
namespace {

using Stage = Place::Stage;

/// for_each_bit calls f(i) for the set bits of a mask, lowest first.
template <class F>
void for_each_bit(std::uint64_t mask, F&& f) {
  for (; mask != 0; mask &= mask - 1) f(static_cast<std::size_t>(std::countr_zero(mask)));
}

Drop drop_of(sphinx::Reject reject) {
  switch (reject) {
    case sphinx::Reject::low_order:
      return Drop::low_order;
    case sphinx::Reject::mac:
      return Drop::mac;
    case sphinx::Reject::flag:
      return Drop::flag;
    case sphinx::Reject::version:
      return Drop::version;
    case sphinx::Reject::payload:
      return Drop::payload;
    case sphinx::Reject::none:
    case sphinx::Reject::length:
      break;
  }
  return Drop::length;
}

}  // namespace

bool Worker::State::batch_due(Instant now) const {
  if (ingress.empty()) return false;
  if (stopped || ingress.size() >= options.batch_packets) return true;
  return now - arena[ingress.front()].received >= options.batch_wait;
}

Worker::State::Batch* Worker::State::free_batch() {
  for (auto& batch : batches)
    if (!batch.busy) return &batch;
  return nullptr;
}

void Worker::State::open_batch(Batch& batch, Instant now) {
  std::array<ByteSpan, limits::batch_packets_max> packets;
  std::array<const crypto::X25519Private*, limits::batch_packets_max> keys;
  report(WorkerProbe::Stage::begin, 0);
  std::size_t count = 0;
  while (count < options.batch_packets && !ingress.empty()) {
    const auto item = ingress.pop();
    auto& place = arena[item];
    const auto* epoch = find(place.epoch);
    if (epoch == nullptr || now - place.received > options.unwrap_late) {
      drop(item, epoch == nullptr ? Drop::route : Drop::late);
      continue;
    }
    place.stage = Stage::batch;
    packets[count] = arena.packet(item);
    keys[count] = &epoch->keys->sphinx_private;
    batch.rows[count++] = item;
  }
  if (count == 0) return;
  answer_questions();
  ++counters.batches;
  batch.count = count;
  batch.busy = true;
  batch.replayed = batch.refused = batch.unknown = 0;
  batch.alive = batch.unwrap.open(std::span<const crypto::X25519Private* const>{keys.data(), count},
                                  {packets.data(), count});
  count_rejects(batch, ~std::uint64_t{0} >> (limits::batch_packets_max - count));
  report(WorkerProbe::Stage::opened, count);
  check_tags(batch);
  if (batch.waiting == 0) finish_batch(batch, now);
}

void Worker::State::count_rejects(Batch& batch, std::uint64_t all) {
  for_each_bit(all & ~batch.alive,
               [&](std::size_t row) { drop(batch.rows[row], drop_of(batch.unwrap.reject(row))); });
}

/// check_tags sorts the tags of a batch by epoch and owner: own ones are checked, others are asked for.
void Worker::State::check_tags(Batch& batch) {
  for (auto& question : questions) question.count = 0;
  for_each_bit(batch.alive, [&](std::size_t row) {
    const auto* place = find(arena[batch.rows[row]].epoch);
    const auto tag = fingerprint(batch.unwrap.tag(row));
    const auto at = static_cast<std::size_t>(place - epochs.data());
    auto& question = questions[at * mesh.workers() + owner_of(tag, mesh.workers())];
    question.rows[question.count] = static_cast<std::uint8_t>(row);
    question.tags[question.count++] = tag;
  });
  for (std::size_t at = 0; at < epochs.size(); ++at) {
    for (std::uint32_t owner = 0; owner < mesh.workers(); ++owner) {
      auto& question = questions[at * mesh.workers() + owner];
      if (question.count == 0) continue;
      question.epoch = epochs[at].keys->epoch;
      if (owner == index) {
        check_own(batch, epochs[at], question);
      } else {
        ask(batch, owner, question);
      }
    }
  }
}

void Worker::State::check_own(Batch& batch, EpochPlace& place, const TagQuestion& question) {
  const auto check = place.replay->check({question.tags.data(), question.count});
  for_each_bit(check.replayed,
               [&](std::size_t i) { batch.replayed |= std::uint64_t{1} << question.rows[i]; });
  for_each_bit(check.refused, [&](std::size_t i) { batch.refused |= std::uint64_t{1} << question.rows[i]; });
}

void Worker::State::ask(Batch& batch, std::uint32_t owner, TagQuestion& question) {
  question.batch = static_cast<std::uint32_t>(&batch - batches.data());
  VG_CHECK(mesh.questions(index, owner).push(question));
  counters.tags_sent += question.count;
  ++batch.waiting;
  wakeups |= std::uint64_t{1} << owner;
}

void Worker::State::answer_questions() {
  TagQuestion question;
  bool answered = false;
  for (std::uint32_t asker = 0; asker < mesh.workers(); ++asker) {
    if (asker == index) continue;
    while (mesh.questions(asker, index).pop(question)) {
      TagAnswer answer{question.batch, 0, 0, 0};
      const auto masked = [&](std::uint64_t mask) {
        std::uint64_t result = 0;
        for_each_bit(mask, [&](std::size_t i) { result |= std::uint64_t{1} << question.rows[i]; });
        return result;
      };
      if (auto* place = find(question.epoch)) {
        const auto check = place->replay->check({question.tags.data(), question.count});
        answer.replayed = masked(check.replayed);
        answer.refused = masked(check.refused);
      } else {
        answer.unknown = masked(~std::uint64_t{0} >> (limits::batch_packets_max - question.count));
      }
      VG_CHECK(mesh.answers(index, asker).push(answer));
      counters.tags_answered += question.count;
      wakeups |= std::uint64_t{1} << asker;
      answered = true;
    }
  }
  if (answered && bell) bell(std::exchange(wakeups, 0));
}

void Worker::State::read_answers(Instant now) {
  TagAnswer answer;
  for (std::uint32_t owner = 0; owner < mesh.workers(); ++owner) {
    if (owner == index) continue;
    while (mesh.answers(owner, index).pop(answer)) {
      auto& batch = batches.at(answer.batch);
      VG_CHECK(batch.waiting > 0);
      batch.replayed |= answer.replayed;
      batch.refused |= answer.refused;
      batch.unknown |= answer.unknown;
      if (--batch.waiting != 0) continue;
      finish_batch(batch, now);
      answer_questions();  // who waits for us must not wait for all of our batches
    }
  }
}

void Worker::State::finish_batch(Batch& batch, Instant now) {
  drop_replays(batch);
  const auto packets = static_cast<std::size_t>(std::popcount(batch.alive));
  report(WorkerProbe::Stage::replay, packets);
  find_routes(batch);
  report(WorkerProbe::Stage::route, packets);
  decide_delays(batch);
  report(WorkerProbe::Stage::delay, packets);
  batch.unwrap.finish(batch.alive);
  report(WorkerProbe::Stage::finish, packets);
  send_on(batch, now);
  batch.busy = false;
  report(WorkerProbe::Stage::queue, packets);
}

void Worker::State::drop_replays(Batch& batch) {
  const auto gone = batch.alive & (batch.replayed | batch.refused | batch.unknown);
  for_each_bit(gone, [&](std::size_t row) {
    const bool unknown = (batch.unknown >> row & 1) != 0;
    drop(batch.rows[row], unknown ? Drop::route : Drop::replay);
  });
  counters.replay_refused += static_cast<std::uint64_t>(std::popcount(batch.alive & batch.refused));
  batch.alive &= ~gone;
}

void Worker::State::find_routes(Batch& batch) {
  for_each_bit(batch.alive, [&](std::size_t row) {
    const auto& routing = batch.unwrap.routing(row);
    if (routing.last) return;
    const auto next = routes == nullptr ? std::nullopt : routes->find(routing.next);
    if (next) {
      arena[batch.rows[row]].next = *next;
    } else {
      drop(batch.rows[row], Drop::route);
      batch.alive &= ~(std::uint64_t{1} << row);
    }
  });
}

/// draw_units computes what the node's own draw is for each row, one epoch's key after the other. A packet
/// whose key went while its verdict was out has no draw any more, and no delay that an auditor would accept.
void Worker::State::draw_units(Batch& batch, Units& units) {
  std::uint64_t missing = batch.alive;
  std::array<sphinx::ReplayTag, limits::batch_packets_max> tags;
  std::array<std::size_t, limits::batch_packets_max> rows;
  Units drawn;
  for (const auto& place : epochs) {
    if (place.keys == nullptr) continue;
    std::size_t count = 0;
    for_each_bit(batch.alive, [&](std::size_t row) {
      if (arena[batch.rows[row]].epoch != place.keys->epoch) return;
      missing &= ~(std::uint64_t{1} << row);
      rows[count] = row;
      tags[count++] = batch.unwrap.tag(row);
    });
    if (count == 0) continue;
    units_of_tags(place.keys->delay_key.view(), {tags.data(), count}, drawn);
    for (std::size_t i = 0; i < count; ++i) units[rows[i]] = drawn[i];
  }
  for_each_bit(missing, [&](std::size_t row) {
    if (batch.unwrap.routing(row).last) return;
    drop(batch.rows[row], Drop::route);
    batch.alive &= ~(std::uint64_t{1} << row);
  });
}

void Worker::State::decide_delays(Batch& batch) {
  Units units{};
  const auto& rules = options.delays;
  if (rules.policy != DelayPolicy::header) draw_units(batch, units);
  // The last quarter of the places is not for long delays: else a few such packets a second keep out all
  // others.
  const bool scarce = arena.in_use() > arena.size() - options.held_packets / 4;
  const auto longest = scarce ? 10 * rules.distribution.mean() : rules.delay_max;
  for_each_bit(batch.alive, [&](std::size_t row) {
    const auto& routing = batch.unwrap.routing(row);
    if (routing.last) return;
    auto& place = arena[batch.rows[row]];
    auto reason = Drop::delay;
    const auto delay = decide_delay(rules, routing.delay_ns, units[row], options.epochs.length);
    if (delay && delay->delay <= longest) {
      place.due = place.received + delay->delay;
      counters.delays_zero += routing.delay_ns == 0;
      counters.delays_clamped += delay->clamped;
      return;
    }
    if (delay) reason = Drop::ring;
    drop(batch.rows[row], reason);
    batch.alive &= ~(std::uint64_t{1} << row);
  });
}

void Worker::State::send_on(Batch& batch, Instant now) {
  for_each_bit(batch.alive, [&](std::size_t row) {
    const auto item = batch.rows[row];
    auto& place = arena[item];
    const auto& routing = batch.unwrap.routing(row);
    if (routing.last) {
      place.stage = Stage::delivery;
      place.destination = routing.destination;
      place.identifier = routing.identifier;
      delivery.push(item);
      return;
    }
    write_frame_header(options.profile, place.rotation, arena.frame(item).first<frame_header_bytes>());
    place.stage = Stage::queue;
    queue.insert(item, place.due, now);
  });
}

}  // namespace village::mix
