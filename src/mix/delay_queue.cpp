#include "village/mix/delay_queue.hpp"

#include <algorithm>
#include <bit>

#include "village/base/check.hpp"
#include "village/mix/limits.hpp"

namespace village::mix {
namespace {

std::size_t places_for(Duration delay_max) {
  VG_CHECK(delay_max > Duration{0} && delay_max <= limits::delay_max);
  // Two more than the longest wait: the tick in progress, and rounding up.
  return std::bit_ceil(static_cast<std::size_t>(delay_max / DelayQueue::tick) + 2 + 64);
}

}  // namespace

DelayQueue::DelayQueue(std::size_t capacity, Duration delay_max, RandomSource& random, Instant now)
    : random_{random},
      start_{now},
      heads_(places_for(delay_max), none),
      occupied_(heads_.size() / word_bits),
      next_(capacity, none),
      due_(capacity) {
  VG_CHECK(capacity > 0 && capacity <= limits::held_packets_max);
}

DelayQueue::Tick DelayQueue::tick_before(Instant time) const {
  return time <= start_ ? 0 : static_cast<Tick>((time - start_) / tick);
}

DelayQueue::Tick DelayQueue::tick_after(Instant time) const {
  return time <= start_ ? 0 : static_cast<Tick>((time - start_ + tick - Duration{1}) / tick);
}

void DelayQueue::insert(HeldIndex item, Instant due, Instant now) {
  VG_CHECK(item < next_.size() && size_ < next_.size());
  advance(tick_before(now));  // nothing may lie further ahead than the wheel goes round
  const auto at = std::min(tick_after(due), current_ + heads_.size() - 1);
  ++size_;
  if (at <= current_) {
    due_[due_count_++] = item;
    return;
  }
  const auto place = at & (heads_.size() - 1);
  next_[item] = heads_[place];
  heads_[place] = item;
  occupied_[place / word_bits] |= std::uint64_t{1} << place % word_bits;
}

void DelayQueue::collect(std::size_t place) {
  for (auto item = heads_[place]; item != none; item = next_[item]) due_[due_count_++] = item;
  heads_[place] = none;
  occupied_[place / word_bits] &= ~(std::uint64_t{1} << place % word_bits);
}

std::optional<DelayQueue::Tick> DelayQueue::next_occupied() const {
  const auto places = heads_.size();
  for (Tick at = current_ + 1; at < current_ + places;) {
    const auto place = at & (places - 1);
    const auto word = occupied_[place / word_bits] >> place % word_bits;
    if (word != 0) return at + static_cast<Tick>(std::countr_zero(word));
    at += word_bits - place % word_bits;
  }
  return std::nullopt;
}

void DelayQueue::advance(Tick to) {
  if (to <= current_) return;  // also when the clock seems to stand still or go back
  if (size_ > due_count_) {
    for (auto at = next_occupied(); at && *at <= to; at = next_occupied()) {
      collect(*at & (heads_.size() - 1));
      current_ = *at;
    }
  }
  current_ = to;
}

void DelayQueue::shuffle_due() {
  if (shuffled_ == due_count_) return;
  for (std::size_t i = due_count_; i > 1; --i) std::swap(due_[i - 1], due_[random_.below(i)]);
  shuffled_ = due_count_;
}

std::size_t DelayQueue::give(std::span<HeldIndex> out) {
  const auto count = std::min(out.size(), due_count_);
  for (std::size_t i = 0; i < count; ++i) out[i] = due_[--due_count_];
  shuffled_ = due_count_;
  size_ -= count;
  return count;
}

std::size_t DelayQueue::take_due(Instant now, std::span<HeldIndex> out) {
  advance(tick_before(now));
  shuffle_due();
  return give(out);
}

std::optional<Instant> DelayQueue::next_deadline() const {
  if (due_count_ > 0) return time_of(current_);
  if (size_ == 0) return std::nullopt;
  const auto at = next_occupied();
  return at ? std::optional{time_of(*at)} : std::nullopt;
}

std::size_t DelayQueue::drain(std::span<HeldIndex> out) {
  for (auto at = next_occupied(); at; at = next_occupied()) collect(*at & (heads_.size() - 1));
  shuffle_due();
  return give(out);
}

}  // namespace village::mix
