#include "htx/stream_table.hpp"

#include <algorithm>
#include <limits>
#include <new>

namespace village::htx {

StreamTable::~StreamTable() {
  streams_.for_each([](Stream& stream) { stream.~Stream(); });
}

Stream& StreamTable::add(StreamId id, Priority priority, Instant now) {
  if (free_ == nullptr) {
    auto slab = std::make_unique<Slot[]>(slab_slots_);
    for (std::size_t i = 0; i < slab_slots_; ++i) slab[i].next = i + 1 < slab_slots_ ? &slab[i + 1] : nullptr;
    free_ = slab.get();
    slabs_.push_back(std::move(slab));
    slab_slots_ = std::min<std::size_t>(slab_slots_ * 2, 256);
  }
  Slot* const slot = free_;
  free_ = slot->next;
  auto* const stream = new (&slot->stream) Stream{id, priority, now};
  streams_.add(*stream);
  return *stream;
}

Result<Stream*> StreamTable::open_own(Priority priority, Instant now) {
  if (next_own_ > std::numeric_limits<StreamId>::max() - 2) return fail(Errc::exhausted);
  auto& stream = add(next_own_, priority, now);
  next_own_ += 2;
  return &stream;
}

Stream& StreamTable::accept(StreamId id, Instant now) {
  VG_CHECK(standing(id) == IdStanding::fresh);
  highest_peer_ = id;
  auto& stream = add(id, Priority::interactive, now);
  stream.announced = true;
  return stream;
}

Stream& StreamTable::add_internal(Instant now) {
  auto& stream = add(1, Priority::urgent, now);
  stream.announced = stream.internal = true;
  return stream;
}

void StreamTable::erase(Stream& stream) {
  VG_CHECK(!StreamRing::contains(stream) && !StreamWaitList::contains(stream));
  streams_.erase(stream.id);
  stream.~Stream();
  auto* const slot = reinterpret_cast<Slot*>(&stream);  // the union's address is its member's
  slot->next = free_;
  free_ = slot;
}

void StreamTable::shrink() {
  if (streams_.size() != 0) return;
  streams_.shrink();
  slabs_.clear();
  free_ = nullptr;
  slab_slots_ = 4;
}

}  // namespace village::htx
