#pragma once
// One worker's part of the tags of one key: a filter in memory, and a journal that outlives the process.
#include <memory>
#include <span>

#include "village/mix/replay_filter.hpp"

namespace village::mix {

/// owner_of is the worker that keeps a tag. Independent of the filter's positions.
std::uint32_t owner_of(Fingerprint tag, std::uint32_t workers);

/// ReplayJournal keeps tags where kill -9 does not reach. append is called on the data path: it must not
/// block. false: no room or broken; the packets of these tags must not be released.
class ReplayJournal {
 public:
  virtual ~ReplayJournal() = default;
  virtual bool append(std::span<const Fingerprint> tags) = 0;
};

/// ReplayShard decides whether packets are seen for the first time. When it answers "fresh", the tag is in
/// filter and journal. One thread.
class alignas(village::limits::cache_line_bytes) ReplayShard {
 public:
  /// `journal` may be null (tests, benchmarks: nothing survives the process).
  ReplayShard(ReplayFilter filter, std::unique_ptr<ReplayJournal> journal)
      : filter_{std::move(filter)}, journal_{std::move(journal)} {}

  /// check is ReplayFilter::insert with the journal behind it. Once the journal has failed everything is
  /// refused: what it does not hold would be open to replay after a crash.
  ReplayCheck check(std::span<const Fingerprint> tags);

  /// closed: no packet of this key is accepted any more. Raise an alarm.
  bool closed() const { return broken_ || filter_.full(); }
  const ReplayFilter& filter() const { return filter_; }
  ReplayJournal* journal() { return journal_.get(); }

 private:
  ReplayFilter filter_;
  std::unique_ptr<ReplayJournal> journal_;
  bool broken_ = false;
};

}  // namespace village::mix
