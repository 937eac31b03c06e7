#pragma once
// Token buckets for the sources of bad tickets, in memory that does not grow.
//
// A source that has no place counts as one with a full bucket; a bucket that has filled up again says nothing
// and gives its place away. A charged bucket is never evicted: whoever floods from many networks cannot make
// the table forget what his others did. Instead, sources that find no place share one bucket for each group
// of places, so that the sum over everybody is bounded too. Places are found by a keyed hash, so nobody can
// aim at the group of another source.
#include <cstdint>
#include <vector>

#include "village/base/random.hpp"
#include "village/base/target.hpp"
#include "village/base/time.hpp"

namespace village::htx {

/// SourcePrefix is the network that pays for what comes from it: /24 of IPv4, /56 of IPv6. An IPv4 address
/// mapped into IPv6 pays as the IPv4 address.
enum class SourcePrefix : std::uint64_t {};
SourcePrefix source_prefix(const Ipv4Address& address);
SourcePrefix source_prefix(const Ipv6Address& address);

struct BucketRules {
  std::uint32_t capacity = 60;                ///< failures in a row, at least 1
  Duration refill = std::chrono::seconds{1};  ///< time for one more, more than 0
};

/// SourceBuckets holds at most `places` sources (rounded up to a group of 8), 16 bytes each, taken at once.
/// O(8) a call, no allocation.
class SourceBuckets {
 public:
  SourceBuckets(BucketRules rules, std::size_t places, RandomSource& random);
  /// has_token tells whether the source may try once more.
  bool has_token(SourcePrefix source, Instant now) const;
  /// take charges the source one token; at zero it stays there.
  void take(SourcePrefix source, Instant now);
  /// set_rules applies to what is charged from now on.
  void set_rules(BucketRules rules) { rules_ = rules; }
  /// charged counts the sources whose buckets are not full at `now`. O(places).
  std::size_t charged(Instant now) const;
  std::size_t places() const { return groups_.size() * ways; }

 private:
  static constexpr std::size_t ways = 8;
  struct Bucket {
    SourcePrefix source{};
    Instant full_at{};  ///< when it will be full again: all its state (generic cell rate algorithm)
  };
  struct Group {
    Bucket places[ways];
    Instant shared_full_at{};  ///< the bucket of all that found no place
  };
  static constexpr std::size_t shared = ways;
  std::size_t group_of(SourcePrefix source) const;
  /// place_of gives the place that is the source's or may become it, or `shared`.
  static std::size_t place_of(const Group& group, SourcePrefix source, Instant now);

  BucketRules rules_;
  std::uint64_t hash_key_[2];
  std::vector<Group> groups_;
};

}  // namespace village::htx
