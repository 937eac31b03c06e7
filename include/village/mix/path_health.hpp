#pragma once
// PathHealth: which mixes lately swallowed everything, so that new paths go round them.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/mix/topology.hpp"
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
/// one mix makes others look bad is why only whole rows without a single answer count. But a client's gateway
/// sees the first hop of what goes out and the last mix of what comes in, and could drop whatever goes by
/// others' mixes, until only its own are left. So no more than a third of a layer's mixes (one at least) are
/// suspected at a time, those that fell out first: whoever has a share f of a layer gets 1.5 f of the paths
/// by it, not all. Mixes that are in no layer are not suspected. One thread. 32 bytes for each mix.
class PathHealth {
 public:
  static constexpr unsigned suspect_after = 8;
  static constexpr std::size_t mixes_max = 65'536;  ///< more are not looked at

  explicit PathHealth(RandomSource& random) : secret_{random.u64()} {}

  /// use forgets all and takes the layers of another document; nothing if it is the one in use.
  void use(const MixView& view);

  std::uint32_t mark(const sphinx::NodeAddress& address) const;
  /// add marks all hops of a way but the last one, the gateway, which nobody can go round.
  void add(PathMarks& marks, std::span<const sphinx::Hop> hops) const;
  void answered(const PathMarks& marks);
  void unanswered(const PathMarks& marks, Instant now);
  bool suspected(std::uint32_t mark, Instant now) const;
  /// good: none of them is suspected.
  bool good(const PathMarks& marks, Instant now) const;
  std::size_t suspects(Instant now) const;
  /// suspects_max is how many mixes of a layer with so many may be suspected at a time.
  static constexpr std::size_t suspects_max(std::size_t mixes) {
    return mixes < 2 ? 0 : std::max<std::size_t>(mixes / 3, 1);
  }

 private:
  struct Mix {
    unsigned in_a_row = 0;
    Instant suspected_until{};
  };
  bool layer_allows(std::uint32_t mark, Instant now) const;

  std::uint64_t secret_;
  std::optional<Epoch> epoch_;                              ///< of the document in use
  std::unordered_map<std::uint32_t, std::uint8_t> layers_;  ///< of each mix in it
  std::array<std::size_t, 1 + mix_layers> sizes_{};
  std::unordered_map<std::uint32_t, Mix> mixes_;
};

}  // namespace village::mix
