#pragma once
// Packets waiting for their time: a hashed timer wheel whose ticks come out shuffled.
#include <cstdint>
#include <optional>
#include <span>

#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/mix/line_vector.hpp"

namespace village::mix {

using HeldIndex = std::uint32_t;  ///< a place of the caller's; < capacity

/// DelayQueue releases each item at the first tick at or behind its time, never before. Items that fall due
/// together leave in random order. Memory is taken by the constructor: 4 bytes for each tick up to
/// `delay_max` and 8 for each item. insert is O(1); take_due is O(items) and looks at 64 empty ticks at once.
/// One thread.
class DelayQueue {
 public:
  static constexpr Duration tick = std::chrono::microseconds{250};

  /// `random` must outlive the queue. delay_max at most limits::delay_max.
  DelayQueue(std::size_t capacity, Duration delay_max, RandomSource& random, Instant now);

  /// insert holds `item` (< capacity, not held now) until `due`, but no longer than delay_max from now: what
  /// is due already comes out of the next take_due.
  void insert(HeldIndex item, Instant due, Instant now);

  /// take_due writes items whose time has come and returns how many. Call until it returns 0 (or keep the
  /// rest for later: they stay due).
  std::size_t take_due(Instant now, std::span<HeldIndex> out);

  /// next_deadline is when take_due will have something; nullopt if nothing is held.
  std::optional<Instant> next_deadline() const;

  /// drain writes any held items, due or not, in random order; for shutdown.
  std::size_t drain(std::span<HeldIndex> out);

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return next_.size(); }

 private:
  static constexpr HeldIndex none = ~HeldIndex{0};
  static constexpr std::size_t word_bits = 64;
  using Tick = std::uint64_t;

  Tick tick_after(Instant time) const;
  Tick tick_before(Instant time) const;
  Instant time_of(Tick at) const { return start_ + tick * static_cast<Duration::rep>(at); }
  void collect(std::size_t place);
  void advance(Tick to);
  std::optional<Tick> next_occupied() const;
  void shuffle_due();
  std::size_t give(std::span<HeldIndex> out);

  RandomSource& random_;
  Instant start_;
  Tick current_ = 0;  ///< all ticks up to and including this one were collected
  LineVector<HeldIndex> heads_;
  LineVector<std::uint64_t> occupied_;  ///< a bit for each place of the wheel
  LineVector<HeldIndex> next_;
  LineVector<HeldIndex> due_;  ///< a stack of what may leave
  std::size_t due_count_ = 0, size_ = 0;
  std::size_t shuffled_ = 0;  ///< how much of due_ is in random order
};

}  // namespace village::mix
