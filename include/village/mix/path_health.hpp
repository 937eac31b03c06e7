#pragma once
// PathHealth: which mixes lately swallowed everything, so that new paths go round them.
#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>

#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/sphinx/create.hpp"

namespace village::mix {

/// PathMarks names the mixes that a packet and its answer go through, in 4 bytes each.
class PathMarks {
 public:
  const std::uint32_t* begin() const { return marks_.data(); }
  const std::uint32_t* end() const { return marks_.data() + count_; }
  std::size_t size() const { return count_; }
  void push_back(std::uint32_t mark) {
    if (count_ < marks_.size()) marks_[count_++] = mark;
  }

 private:
  std::array<std::uint32_t, 2 * sphinx::limits::hops_max> marks_{};
  std::uint8_t count_ = 0;
};

/// PathHealth counts, for each mix, how many packets in a row were never answered. A mix with suspect_after
/// of them is suspected for a minute, and after one more for twice as long, up to 8 minutes; one answer
/// clears it. A document lists a dead mix until its epoch ends: without this, one dead mix of two in a layer
/// would cost three of four round trips for that long.
///
/// A mix cannot gain by it: who drops packets is left out, who delivers them is not preferred. That a drop at
/// one mix makes others look bad is why only whole rows without a single answer count. One thread. 24 bytes
/// for each mix.
class PathHealth {
 public:
  static constexpr unsigned suspect_after = 8;
  static constexpr std::size_t mixes_max = 65'536;  ///< more are not looked at

  explicit PathHealth(RandomSource& random) : secret_{random.u64()} {}

  std::uint32_t mark(const sphinx::NodeAddress& address) const;
  /// add marks all hops of a way but the last one, the gateway, which nobody can go round.
  void add(PathMarks& marks, std::span<const sphinx::Hop> hops) const;
  void answered(const PathMarks& marks);
  void unanswered(const PathMarks& marks, Instant now);
  bool suspected(std::uint32_t mark, Instant now) const;
  /// good: none of them is suspected.
  bool good(const PathMarks& marks, Instant now) const;
  std::size_t suspects(Instant now) const;
  /// clear forgets all: with a document of a new epoch.
  void clear() { mixes_.clear(); }

 private:
  struct Mix {
    unsigned in_a_row = 0;
    Instant suspected_until{};
  };
  std::uint64_t secret_;
  std::unordered_map<std::uint32_t, Mix> mixes_;
};

}  // namespace village::mix
