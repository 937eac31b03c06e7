#pragma once
// Which packets a key has opened already: a segmented blocked Bloom filter. Source: decisions/mix, Replay.
//
// A segment holds 2^20 tags in 4 MiB: blocks of 512 bits (one cache line), 16 tags to a block on average, 15
// bits for each tag. A full segment takes a fresh tag for a replay with probability 5.0e-6. Segments are
// added as needed up to a bound; a look-up asks all of them, so that k full ones err k times as often.
// Nothing is ever overwritten: a filter that is full takes no more tags.
#include <cstdint>
#include <span>

#include "village/mix/limits.hpp"
#include "village/mix/line_vector.hpp"
#include "village/sphinx/types.hpp"

namespace village::mix {

/// Fingerprint is what the filter and its log know of a tag: the first 8 bytes, big endian. Never 0 (that
/// marks the free end of a log): 0 counts as 1.
using Fingerprint = std::uint64_t;
Fingerprint fingerprint(const sphinx::ReplayTag& tag);

/// ReplayCheck is the outcome for a batch: bit i for fingerprint i.
struct ReplayCheck {
  std::uint64_t fresh = 0;     ///< now in the filter
  std::uint64_t replayed = 0;  ///< was there before (or, rarely, looks so)
  std::uint64_t refused = 0;   ///< not looked up further: the filter is full
};

/// ReplaySizing is what a filter's constructor takes.
struct ReplaySizing {
  std::size_t segments_max = 1;
  std::size_t segment_tags = limits::replay_segment_tags;
};
/// replay_sizing is for a key that shall take `packets` in its life (of one worker): one segment of just that
/// size, or as many full-size segments as it takes, up to the bound; and room for one more, taken only when
/// needed.
ReplaySizing replay_sizing(std::uint64_t packets);

/// ReplayFilter knows every tag that went in: no false negatives. One thread.
class ReplayFilter {
 public:
  /// `segment_tags` is the capacity of one segment (smaller for keys that will see few packets),
  /// `segments_max` the bound. The first segment is taken now. `key` is random and told to nobody: senders
  /// know their tags, and whoever knew their places too could choose some that crowd a few blocks, where
  /// every other packet then looks replayed. A filter made anew from a log may have another.
  explicit ReplayFilter(const ReplaySizing& sizing, std::uint64_t key = 0)
      : ReplayFilter(sizing.segments_max, sizing.segment_tags, key) {}
  explicit ReplayFilter(std::size_t segments_max, std::size_t segment_tags = limits::replay_segment_tags,
                        std::uint64_t key = 0);
  ReplayFilter(ReplayFilter&&) noexcept;
  ~ReplayFilter();

  /// insert looks up 1 to 64 fingerprints in order and adds those not seen before, also not earlier in the
  /// same batch. A cache miss for each segment, overlapped over the batch: about 0.1 us a tag with one
  /// segment. Allocates only when a segment is added (4 MiB, zeroed by the system as it is touched).
  ReplayCheck insert(std::span<const Fingerprint> tags);

  /// contains looks one up.
  bool contains(Fingerprint tag) const;
  /// restore adds a tag from a log. false if the filter is full.
  bool restore(Fingerprint tag);

  std::size_t size() const { return size_; }
  std::size_t segments() const;
  std::size_t capacity() const { return segments_max_ * segment_tags_; }
  std::size_t bytes() const { return segments() * segment_bytes_; }
  bool full() const { return segments() == segments_max_ && in_last_ == segment_tags_; }

 private:
  struct alignas(64) Block {
    std::uint64_t words[8];
  };
  struct Probe {
    std::size_t block;
    Block bits;
  };
  struct Segment;

  Probe probe(Fingerprint tag) const;
  static bool holds(const Block& block, const Block& bits);
  void add_segment();
  void put(const Probe& probe);

  std::size_t segments_max_, segment_tags_, blocks_, segment_bytes_;
  std::uint64_t key_;
  LineVector<Segment> segments_;
  std::size_t in_last_ = 0, size_ = 0;
};

}  // namespace village::mix
